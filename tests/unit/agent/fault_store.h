// SPDX-License-Identifier: Apache-2.0
// A store whose commits can be made to fail.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/store.h"

namespace talon::agent {

inline absl::Status DiskFull() {
  return MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kDiskFull,
                   "store: the disk is full");
}

class FaultStore : public store::Store {
 public:
  explicit FaultStore(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}

  io::Task<absl::Status> Commit(store::Batch batch) override {
    if (++commits > fail_after && commits <= fail_until) co_return fault;
    co_return co_await inner_->Commit(std::move(batch));
  }
  void CommitLater(store::Batch batch) override {
    if (commits >= fail_after && commits < fail_until) return;
    inner_->CommitLater(std::move(batch));
  }
  io::Task<absl::StatusOr<store::Rows>> Read(std::string_view statement,
                                             std::vector<store::Value> params) override {
    if (!read_error.ok()) co_return read_error;
    co_return co_await inner_->Read(statement, std::move(params));
  }
  store::StoreStats stats() const override { return inner_->stats(); }
  void Close() override { inner_->Close(); }

  int commits = 0;  // asked for, with an answer waited for
  // Commits beyond the first number and up to the second fail.
  int fail_after = 1 << 30, fail_until = 1 << 30;
  absl::Status fault = DiskFull();
  absl::Status read_error;

 private:
  std::unique_ptr<store::Store> inner_;
};

}  // namespace talon::agent
