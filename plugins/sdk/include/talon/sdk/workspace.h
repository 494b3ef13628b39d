// SPDX-License-Identifier: Apache-2.0
// Files below one folder and nowhere else. Every path is resolved by the kernel (openat2 with
// RESOLVE_BENEATH): "..", absolute paths, symbolic links that leave, and magic links of /proc are
// refused at the moment of opening, so nothing can be swapped in between. Links that stay beneath
// the folder are followed. Immutable after Open; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::sdk {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~Fd() { Reset(-1); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd);

 private:
  int fd_ = -1;
};

class Workspace {
 public:
  // FailedPrecondition when `folder` is empty or cannot be opened.
  static absl::StatusOr<Workspace> Open(const std::string& folder);

  // What a model wrote, relative to the folder: "" becomes ".", the folder's own path is taken off
  // an absolute path. InvalidArgument for a NUL byte, PermissionDenied for another absolute path.
  absl::StatusOr<std::string> Relative(std::string_view path) const;

  // Opens a relative path; O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added (a FIFO does not block).
  // NotFound, PermissionDenied (also: leads outside) and so on; the text names the path.
  absl::StatusOr<Fd> OpenFile(const std::string& path, int flags, unsigned mode = 0) const;
  // The folder `path`; its missing parts are made when `create` is kMissing.
  enum class Create { kNothing, kMissing };
  absl::StatusOr<Fd> OpenFolder(const std::string& path, Create create = Create::kNothing) const;

  const std::string& folder() const { return folder_; }

 private:
  Workspace(std::string folder, Fd fd)
      : folder_(std::move(folder)), fd_(std::make_shared<Fd>(std::move(fd))) {}

  std::string folder_;
  std::shared_ptr<const Fd> fd_;  // shared by copies
};

// The status for a failed system call on `path`: "'a/b': no such file or folder".
absl::Status PathError(int error, std::string_view path);

}  // namespace talon::sdk
