// SPDX-License-Identifier: Apache-2.0
#include "files/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

namespace talon::plugins {
namespace {

constexpr std::size_t kMaxFolderEntries = 20'000;  // read of one folder; bounds memory

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

class Walker {
 public:
  Walker(const sdk::Workspace& workspace, const std::function<bool(const Entry&)>& visit)
      : workspace_(workspace), visit_(visit) {}

  absl::Status Folder(const std::string& path, int depth) {
    absl::StatusOr<std::vector<Entry>> entries = Read(path);
    if (!entries.ok()) return entries.status();
    for (const Entry& entry : *entries) {
      outcome.stopped = outcome.stopped || !visit_(entry);
      if (outcome.stopped) break;
      const bool enter = entry.kind == EntryKind::kFolder && depth > 1 && entry.path != ".git" &&
                         !entry.path.ends_with("/.git");
      if (enter && !Folder(entry.path, depth - 1).ok()) ++outcome.unreadable;
    }
    return absl::OkStatus();
  }

  WalkOutcome outcome;

 private:
  absl::StatusOr<std::vector<Entry>> Read(const std::string& path) {
    absl::StatusOr<sdk::Fd> fd = workspace_.OpenFolder(path);
    if (!fd.ok()) return fd.status();
    const std::unique_ptr<DIR, CloseDir> dir(fdopendir(fd->get()));
    if (!dir) return sdk::PathError(errno, path);
    const int folder = fd->Release();  // the stream owns it now
    std::vector<Entry> entries;
    while (const dirent* item = readdir(dir.get())) {
      const std::string name = item->d_name;
      if (name == "." || name == "..") continue;
      if (entries.size() == kMaxFolderEntries) {
        outcome.cut = true;
        break;
      }
      Entry entry{.path = path == "." ? name : path + "/" + name};
      struct stat info = {};
      if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
        entry.kind = S_ISREG(info.st_mode)   ? EntryKind::kFile
                     : S_ISDIR(info.st_mode) ? EntryKind::kFolder
                     : S_ISLNK(info.st_mode) ? EntryKind::kLink
                                             : EntryKind::kOther;
        entry.size = static_cast<std::uint64_t>(info.st_size);
      }
      entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return entries;
  }

  const sdk::Workspace& workspace_;
  const std::function<bool(const Entry&)>& visit_;
};

}  // namespace

absl::StatusOr<WalkOutcome> Walk(const sdk::Workspace& workspace, const std::string& path,
                                 int depth, const std::function<bool(const Entry&)>& visit) {
  Walker walker(workspace, visit);
  std::string start = path;
  while (start.size() > 1 && start.back() == '/') start.pop_back();
  if (absl::Status status = walker.Folder(start, depth); !status.ok()) return status;
  return walker.outcome;
}

}  // namespace talon::plugins
