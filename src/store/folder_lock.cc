// SPDX-License-Identifier: Apache-2.0
#include "store/folder_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::store {
namespace {

constexpr std::size_t kMaxCommandLine = 64 << 10;

// " (`talon chat`)": which of a person's programs it is, so that they know what to leave.
std::string CommandOf(std::string_view pid) {
  std::string words;
  const auto line = ReadFile(fmt::format("/proc/{}/cmdline", pid), kMaxCommandLine);
  if (!line.ok()) return "";
  const std::string_view program = std::string_view(*line).substr(0, line->find('\0'));
  std::string_view rest =
      std::string_view(*line).substr(std::min(program.size() + 1, line->size()));
  words = program.substr(program.rfind('/') + 1);
  const std::string_view verb = rest.substr(0, rest.find('\0'));
  if (!verb.empty()) words += fmt::format(" {}", verb);
  return fmt::format(" (`{}`)", TruncateUtf8(RepairUtf8(words), 60));
}

absl::Status AlreadyRunning(const std::string& folder, int fd) {
  std::array<char, 32> buffer{};
  const ssize_t count = pread(fd, buffer.data(), buffer.size(), 0);
  const std::string_view pid =
      TrimSpace(std::string_view(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0));
  // Between its lock and its line the owner's pid is not there yet.
  const std::string owner =
      pid.empty() ? "another process" : fmt::format("process {}{}", pid, CommandOf(pid));
  const std::string stop = pid.empty() ? "stop it" : fmt::format("stop it (`kill {}`)", pid);
  return MakeError(
      absl::StatusCode::kAlreadyExists, ErrorReason::kAlreadyRunning,
      fmt::format("store: open '{}': {} already uses this folder; {} or choose another "
                  "folder (TALON_HOME)",
                  folder, owner, stop));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Acquire(const std::string& folder) {
  const std::string run = folder + "/run";
  TALON_RETURN_IF_ERROR(MakeDirectories(run));
  const std::string path = run + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoToStatus(errno, fmt::format("store: open '{}'", path));
  std::unique_ptr<FolderLock> lock(new FolderLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return AlreadyRunning(folder, fd);
    return ErrnoToStatus(errno, fmt::format("store: lock '{}'", path));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoToStatus(errno, fmt::format("store: write '{}'", path));
  }
  return lock;
}

FolderLock::~FolderLock() {
  close(fd_);
}

}  // namespace talon::store
