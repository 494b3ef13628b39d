// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/workspace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace talon::sdk {
namespace {

constexpr int kMaxRaces = 16;  // a path that keeps changing while it is resolved

int OpenBeneath(int folder, const std::string& path, int flags, unsigned mode) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int i = 0; i < kMaxRaces; ++i) {
    const long fd = syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
  return -1;
}

}  // namespace

void Fd::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

absl::Status PathError(int error, std::string_view path) {
  const auto text = [&](std::string_view why) { return fmt::format("'{}': {}", path, why); };
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text("no such file or folder"));
    case ENOTDIR:
      return absl::FailedPreconditionError(text("a part of the path is no folder"));
    case EISDIR:
      return absl::FailedPreconditionError(text("is a folder"));
    case EXDEV:
      return absl::PermissionDeniedError(text("leads outside the workspace"));
    case ELOOP:
      return absl::PermissionDeniedError(text("symbolic links that loop or are not allowed"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text(std::strerror(error)));
    case ENXIO:
      return absl::FailedPreconditionError(text("is not a regular file"));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text(std::strerror(error)));
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(text("the name is too long"));
    default:
      return absl::UnknownError(text(std::strerror(error)));
  }
}

absl::StatusOr<Workspace> Workspace::Open(const std::string& folder) {
  if (folder.empty()) return absl::FailedPreconditionError("no workspace is configured");
  Fd fd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return absl::FailedPreconditionError(
        fmt::format("workspace '{}': {}", folder, std::strerror(errno)));
  }
  std::string name = folder;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  return Workspace(std::move(name), std::move(fd));
}

absl::StatusOr<std::string> Workspace::Relative(std::string_view path) const {
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("a path with a NUL byte");
  }
  if (path.starts_with('/')) {
    std::string_view rest = path;
    const bool inside =
        rest.starts_with(folder_) && (rest.size() == folder_.size() || rest[folder_.size()] == '/');
    if (!inside) return PathError(EXDEV, path);
    rest.remove_prefix(folder_.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);
    path = rest;
  }
  while (path.starts_with("./")) path.remove_prefix(2);
  return path.empty() ? std::string(".") : std::string(path);
}

absl::StatusOr<Fd> Workspace::OpenFile(const std::string& path, int flags, unsigned mode) const {
  const int extra = (flags & O_PATH) != 0 ? 0 : O_NOCTTY | O_NONBLOCK;
  Fd fd(OpenBeneath(fd_->get(), path, flags | extra, mode));
  if (!fd.valid()) return PathError(errno, path);
  return fd;
}

absl::StatusOr<Fd> Workspace::OpenFolder(const std::string& path, Create create) const {
  Fd fd(OpenBeneath(fd_->get(), path, O_RDONLY | O_DIRECTORY, 0));
  if (fd.valid()) return fd;
  if (errno != ENOENT || create == Create::kNothing) return PathError(errno, path);
  const std::size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  if (name.empty()) return OpenFolder(parent, create);
  if (parent.empty() || name == "." || name == "..") return PathError(ENOENT, path);
  const absl::StatusOr<Fd> above = OpenFolder(parent, create);
  if (!above.ok()) return above.status();
  if (mkdirat(above->get(), name.c_str(), 0777) != 0 && errno != EEXIST) {
    return PathError(errno, path);
  }
  return OpenFolder(path, Create::kNothing);
}

}  // namespace talon::sdk
