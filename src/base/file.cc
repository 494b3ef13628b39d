// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/digest.h"
#include "base/status.h"

namespace talon {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoToStatus(errno, fmt::format("write '{}'", path));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return ErrnoToStatus(errno, fmt::format("sync '{}'", path));
  return absl::OkStatus();
}

// A new name is safe from a loss of power once its folder is.
absl::Status SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EINVAL: a file system that has no such thing.
  if (opened.get() >= 0 && (::fsync(opened.get()) == 0 || errno == EINVAL)) return absl::OkStatus();
  return ErrnoToStatus(errno, fmt::format("sync folder '{}'", folder));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoToStatus(errno, fmt::format("read '{}'", path));
  std::string content;
  char buffer[64 << 10];
  while (true) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoToStatus(errno, fmt::format("read '{}'", path));
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > max_bytes) {
      return ResourceExhausted(
          fmt::format("read '{}': larger than the limit of {} bytes", path, max_bytes));
    }
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

absl::Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, RandomHex(6));
  absl::Status status;
  {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() < 0) return ErrnoToStatus(errno, fmt::format("create '{}'", temporary));
    // open(2) applies the umask.
    status = ::fchmod(file.get(), mode) == 0
                 ? WriteAll(file.get(), content, temporary)
                 : ErrnoToStatus(errno, fmt::format("set mode of '{}'", temporary));
  }
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoToStatus(errno, fmt::format("replace '{}'", path));
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncFolderOf(path);
}

absl::Status MakeDirectories(const std::string& path, unsigned mode) {
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (part.empty()) continue;
    if (::mkdir(part.c_str(), mode) == 0) {
      if (::chmod(part.c_str(), mode) == 0) continue;  // mkdir(2) applies the umask
      return ErrnoToStatus(errno, fmt::format("set mode of folder '{}'", part));
    }
    const int error = errno;
    struct stat info{};
    if (::stat(part.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) continue;
      return ErrnoToStatus(ENOTDIR, fmt::format("create folder '{}'", part));
    }
    return ErrnoToStatus(error, fmt::format("create folder '{}'", part));
  }
  return absl::OkStatus();
}

}  // namespace talon
