// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/call.h"

#include <chrono>
#include <utility>

#include "base/status.h"
#include "plugin/h2/wire.h"

namespace talon::plugin::h2 {

Call::Call(std::shared_ptr<Link> link, CallContext context)
    : link_(std::move(link)), context_(std::move(context)) {}

Call::~Call() {
  End(Cancelled("the call was dropped"));
}

absl::Status Call::Open(std::string_view method) {
  if (context_.cancel.cancelled()) return context_.cancel.status();
  TALON_RETURN_IF_ERROR(link_->end());
  const auto now = std::chrono::steady_clock::now();
  if (context_.deadline <= now) return DeadlineExceeded("the deadline had passed");
  const bool bounded = context_.deadline != SteadyTime::max();
  TALON_ASSIGN_OR_RETURN(
      id_, link_->session().Open(method,
                                 bounded ? EncodeTimeout(context_.deadline - now) : std::string(),
                                 [this] { Changed(); }));
  if (bounded) {
    timer_ = link_->loop().CallAt(
        context_.deadline, [this] { End(DeadlineExceeded("the plugin did not answer in time")); });
  }
  registration_ = context_.cancel.OnCancel([this] { End(context_.cancel.status()); });
  return absl::OkStatus();
}

void Call::End(absl::Status reason) {
  if (id_ == 0) return;
  end_ = std::move(reason);
  link_->loop().CancelTimer(timer_);
  link_->session().Close(std::exchange(id_, 0));
  link_->Flush();
  Changed();
}

void Call::Changed() {
  if (reading_) reading_->Set(true);
  if (writing_) writing_->Set(true);
}

absl::Status Call::Send(std::string message) {
  TALON_RETURN_IF_ERROR(link_->session().Write(id_, std::move(message)));
  link_->session().CloseWrites(id_);
  return absl::OkStatus();
}

io::Task<absl::Status> Call::Write(std::string message) {
  if (!end_.ok()) co_return end_;
  TALON_CO_RETURN_IF_ERROR(link_->session().Write(id_, std::move(message)));
  while (true) {
    writing_.emplace();
    link_->Flush();
    if (id_ == 0) co_return end_;
    if (!link_->session().writing(id_)) co_return absl::OkStatus();
    (void)co_await writing_->Wait();
  }
}

void Call::CloseWrites() {
  if (id_ == 0) return;
  link_->session().CloseWrites(id_);
  link_->Flush();
}

io::Task<absl::StatusOr<std::optional<std::string>>> Call::Read() {
  while (true) {
    if (!end_.ok()) co_return end_;
    reading_.emplace();
    auto next = link_->session().Next(id_);
    link_->Flush();  // what was taken may be sent anew
    if (next) co_return *std::move(next);
    (void)co_await reading_->Wait();
  }
}

}  // namespace talon::plugin::h2
