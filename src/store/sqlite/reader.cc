// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/reader.h"

#include <utility>

#include "base/status.h"
#include "io/loop.h"

namespace talon::store {

io::Task<absl::StatusOr<Rows>> Reader::Read(std::string_view statement, std::vector<Value> params) {
  auto request = std::make_shared<Request>();
  request->statement = statement;
  request->params = std::move(params);
  queue_.push_back(request);
  if (!draining_) {
    draining_ = true;
    loop_.Spawn(Drain(shared_from_this()));
  }
  co_return co_await request->done.Wait();
}

void Reader::Close() {
  const std::lock_guard lock(mutex_);
  connection_.reset();
}

io::Task<void> Reader::Drain(std::shared_ptr<Reader> self) {
  while (!self->queue_.empty()) {
    const auto requests = std::make_shared<Requests>(std::exchange(self->queue_, {}));
    auto answers = co_await self->loop_.Blocking([self, requests] { return self->Run(*requests); });
    for (std::size_t i = 0; i < answers.size(); ++i) {
      (*requests)[i]->done.Set(std::move(answers[i]));
    }
  }
  self->draining_ = false;
}

std::vector<absl::StatusOr<Rows>> Reader::Run(const Requests& requests) {
  std::vector<absl::StatusOr<Rows>> answers;
  answers.reserve(requests.size());
  const std::lock_guard lock(mutex_);
  for (const auto& request : requests) {
    if (connection_ == nullptr) {
      answers.emplace_back(Unavailable("store: read: the store is closed"));
    } else {
      answers.push_back(connection_->Query(request->statement, request->params));
    }
  }
  return answers;
}

}  // namespace talon::store
