// SPDX-License-Identifier: Apache-2.0
// One process a folder: an exclusive flock on `<folder>/run/lock`, which holds the owner's pid. The
// kernel gives the lock up when the process ends, however it ends. Any thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace talon::store {

class FolderLock {
 public:
  // Creates the folder where missing. AlreadyExists/kAlreadyRunning while another process (or
  // another store of this one) holds it; the text names its pid and the cure.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Acquire(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace talon::store
