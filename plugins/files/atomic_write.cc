// SPDX-License-Identifier: Apache-2.0
#include "files/atomic_write.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "files/tools.h"

namespace talon::plugins {
namespace {

constexpr int kMaxLinks = 8;

// Where the bytes go once symbolic links have been followed.
struct Target {
  sdk::Fd folder;
  std::string path, name;
  std::optional<mode_t> mode;  // of the file that is there already
};

absl::StatusOr<Target> Locate(const sdk::Workspace& workspace, std::string path) {
  for (int i = 0; i < kMaxLinks; ++i) {
    const std::size_t slash = path.find_last_of('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return sdk::PathError(EISDIR, path);
    absl::StatusOr<sdk::Fd> folder = workspace.OpenFolder(parent, sdk::Workspace::Create::kMissing);
    if (!folder.ok()) return folder.status();

    struct stat info = {};
    if (fstatat(folder->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return sdk::PathError(errno, path);
      return Target{*std::move(folder), path, name, std::nullopt};
    }
    if (S_ISREG(info.st_mode)) return Target{*std::move(folder), path, name, info.st_mode & 0777};
    if (S_ISDIR(info.st_mode)) return sdk::PathError(EISDIR, path);
    if (!S_ISLNK(info.st_mode)) return sdk::PathError(ENXIO, path);

    char link[PATH_MAX];
    const ssize_t n = readlinkat(folder->get(), name.c_str(), link, sizeof link);
    if (n < 0) return sdk::PathError(errno, path);
    const std::string_view to(link, static_cast<std::size_t>(n));
    if (to.starts_with('/')) return sdk::PathError(EXDEV, path);
    path = fmt::format("{}/{}", parent, to);
  }
  return sdk::PathError(ELOOP, path);
}

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sdk::PathError(errno, path);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return fdatasync(fd) == 0 ? absl::OkStatus() : sdk::PathError(errno, path);
}

absl::Status Replace(const Target& target, std::string_view content) {
  static std::atomic<unsigned> counter = 0;  // only makes names of temporary files differ
  const std::string temporary = fmt::format(".talon-write-{}-{}", getpid(), ++counter);
  const int folder = target.folder.get();
  const sdk::Fd fd(openat(folder, temporary.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!fd.valid()) return sdk::PathError(errno, target.path);
  absl::Status status = WriteAll(fd.get(), content, target.path);
  if (status.ok() && target.mode && fchmod(fd.get(), *target.mode) != 0) {
    status = sdk::PathError(errno, target.path);
  }
  if (status.ok() && renameat(folder, temporary.c_str(), folder, target.name.c_str()) != 0) {
    status = sdk::PathError(errno, target.path);
  }
  if (!status.ok()) {
    unlinkat(folder, temporary.c_str(), 0);
    return status;
  }
  // The file is in place; only a power failure could still undo the rename.
  fsync(folder);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WriteOutcome> AtomicWrite(const sdk::Workspace& workspace, std::string path,
                                         std::string_view content) {
  const absl::StatusOr<Target> target = Locate(workspace, std::move(path));
  if (!target.ok()) return target.status();
  if (target->mode) {
    const auto present = ReadWhole(workspace, target->path, content.size());
    if (present.ok() && *present == content) return WriteOutcome::kUnchanged;
  }
  if (absl::Status status = Replace(*target, content); !status.ok()) return status;
  return target->mode ? WriteOutcome::kReplaced : WriteOutcome::kCreated;
}

}  // namespace talon::plugins
