// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_user.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "base/status.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestFolder = 64;

// Takes `folder`, a descriptor.
bool GiveContent(int folder, uid_t user, int depth) {
  DIR* entries = depth > kDeepestFolder ? nullptr : fdopendir(folder);
  if (entries == nullptr) {
    close(folder);
    return false;
  }
  bool given = true;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    given &= fchownat(folder, name.c_str(), user, user, AT_SYMLINK_NOFOLLOW) == 0;
    const int inner = openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) given &= GiveContent(inner, user, depth + 1);
  }
  closedir(entries);
  return given;
}

// The user for `data_directory`, and whether it has it already.
absl::StatusOr<std::pair<uid_t, bool>> Choose(const fs::path& data_directory, std::uint32_t first,
                                              std::uint32_t count) {
  const auto ours = [&](uid_t user) { return user >= first && user - first < count; };
  struct stat info{};
  std::set<uid_t> taken;
  std::error_code ignored;
  for (fs::directory_iterator it(data_directory.parent_path(), ignored), end; it != end;
       it.increment(ignored)) {
    const bool other = it->path() != data_directory;
    if (other && lstat(it->path().c_str(), &info) == 0) taken.insert(info.st_uid);
  }
  if (lstat(data_directory.c_str(), &info) == 0 && ours(info.st_uid) &&
      !taken.contains(info.st_uid)) {
    return std::pair(info.st_uid, true);
  }
  for (uid_t user = first; ours(user); ++user) {
    if (!taken.contains(user)) return std::pair(user, false);
  }
  return ResourceExhausted(fmt::format("plugin_host.sandbox.uids: all {} users are in use", count));
}

}  // namespace

absl::StatusOr<uid_t> GiveToOwnUser(const std::string& data_directory, std::uint32_t first,
                                    std::uint32_t count) {
  const fs::path folder = fs::path(data_directory).lexically_normal();
  // One at a time: two plugins that start at once must not get the same.
  const int lock = open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0 || flock(lock, LOCK_EX) != 0) {
    const int error = errno;
    if (lock >= 0) close(lock);
    return ErrnoToStatus(error, fmt::format("lock '{}'", folder.parent_path().string()));
  }
  absl::StatusOr<uid_t> user = absl::UnknownError("");
  if (const auto chosen = Choose(folder, first, count); !chosen.ok()) {
    user = chosen.status();
  } else {
    absl::Status given =
        chosen->second ? absl::OkStatus() : GiveFolder(data_directory, chosen->first);
    if (given.ok()) {
      user = chosen->first;
    } else {
      user = std::move(given);
    }
  }
  close(lock);
  return user;
}

absl::Status GiveFolder(const std::string& folder, uid_t user) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, fmt::format("open folder '{}'", folder));
  // The folder itself last: its owner tells that all of it is given.
  const bool given = GiveContent(fd, user, 0) && lchown(folder.c_str(), user, user) == 0;
  if (given) return absl::OkStatus();
  return ErrnoToStatus(errno, fmt::format("give '{}' with all it holds to user {}", folder, user));
}

}  // namespace talon::plugin
