// SPDX-License-Identifier: Apache-2.0
#include "plugin/disk_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/status.h"

namespace talon::plugin {
namespace {

constexpr int kDeepest = 64;                 // each level holds a descriptor
constexpr std::uint64_t kEntryBytes = 1024;  // of a file besides its content
constexpr std::uint64_t kFreeShare = 20;     // of a small disk its 20th part is enough
constexpr std::uint32_t kChanges = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONESHOT | IN_ONLYDIR;

class Count {
 public:
  Count(std::uint64_t most, int watch) : most_(most), watch_(watch) {}

  // False when counting is over: too much, or not countable.
  bool Folder(int parent, const char* name, int depth) {
    const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || Fail(std::strerror(errno));
    if (depth > kDeepest) {
      ::close(fd);
      return Fail(fmt::format("its folders are deeper than {}", kDeepest));
    }
    // Before it is read: whatever comes later is told.
    if (watch_ >= 0) {
      ::inotify_add_watch(watch_, fmt::format("/proc/self/fd/{}", fd).c_str(), kChanges);
    }
    DIR* folder = ::fdopendir(fd);
    if (folder == nullptr) {
      ::close(fd);
      return Fail("out of memory");
    }
    bool more = true;
    while (more) {
      const dirent* entry = ::readdir(folder);
      if (entry == nullptr) break;
      const std::string_view each = entry->d_name;
      if (each != "." && each != "..") more = Entry(::dirfd(folder), entry->d_name, depth);
    }
    ::closedir(folder);
    return more;
  }

  std::uint64_t bytes() const { return bytes_; }
  const std::string& problem() const { return problem_; }

 private:
  bool Fail(std::string why) {
    problem_ = std::move(why);
    return false;
  }

  bool Entry(int folder, const char* name, int depth) {
    struct stat info{};
    if (::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT || Fail(std::strerror(errno));
    }
    const auto used = std::max<std::int64_t>(info.st_blocks * 512, info.st_size);
    bytes_ += static_cast<std::uint64_t>(used) + kEntryBytes;
    if (bytes_ > most_) return false;
    return !S_ISDIR(info.st_mode) || Folder(folder, name, depth + 1);
  }

  const std::uint64_t most_;
  const int watch_;
  std::uint64_t bytes_ = 0;
  std::string problem_;
};

absl::Status CheckFree(const std::string& folder, std::uint64_t least) {
  struct statvfs disk{};
  if (least == 0 || ::statvfs(folder.c_str(), &disk) != 0) return absl::OkStatus();
  const std::uint64_t free = disk.f_bavail * disk.f_frsize;
  if (free >= std::min<std::uint64_t>(least, disk.f_blocks * disk.f_frsize / kFreeShare)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      fmt::format("sandbox: it writes to '{}', whose disk has only {} bytes left; make room, or "
                  "lower plugin_host.sandbox.min_free",
                  folder, free));
}

}  // namespace

absl::Status CheckDisk(const std::vector<std::string>& folders, DiskLimits limits, int watch) {
  Count count(limits.most_bytes, watch);
  for (const std::string& folder : folders) {
    if (!count.Folder(AT_FDCWD, folder.c_str(), 0)) {
      const std::string what = count.problem().empty()
                                   ? fmt::format("hold more than {} bytes", limits.most_bytes)
                                   : "cannot be counted: " + count.problem();
      return absl::ResourceExhaustedError(
          fmt::format("sandbox: the plugin's own folders {} ('{}'); remove what is not needed, or "
                      "raise sandbox.disk of its entry",
                      what, folder));
    }
    TALON_RETURN_IF_ERROR(CheckFree(folder, limits.min_free_bytes));
  }
  return absl::OkStatus();
}

}  // namespace talon::plugin
