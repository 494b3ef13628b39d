// SPDX-License-Identifier: Apache-2.0
#include "plugin/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/digest.h"
#include "base/status.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMostEntries = 1'000'000;
constexpr std::size_t kOwnNameBytes = 8;

// Takes folders that hold something up into the root, under names of its own: neither a path nor
// the number of open descriptors grows with the depth.
class Removal {
 public:
  explicit Removal(int root) : root_(root) {}

  void Run() {
    for (std::vector<std::string> folders = Empty(root_); !folders.empty();
         folders = Empty(root_)) {
      for (const std::string& name : folders) Remove(name);
      if (left_ == 0) return;
    }
  }

 private:
  // Removes what can be removed of `folder`; answers the folders of the root that hold something.
  std::vector<std::string> Empty(int folder) {
    std::vector<std::string> remaining;
    const int own = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    DIR* entries = fdopendir(own);
    if (entries == nullptr) {
      close(own);
      return remaining;
    }
    rewinddir(entries);
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (name == "." || name == ".." || left_ == 0) continue;
      --left_;
      if (unlinkat(folder, name.c_str(), 0) == 0) continue;
      if (unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0) continue;
      if (errno != ENOTEMPTY && errno != EEXIST) continue;
      if (folder == root_) {
        remaining.push_back(name);
        continue;
      }
      // Its ".." changes, which is writing in it.
      fchmodat(folder, name.c_str(), 0700, 0);
      const std::string here = fmt::format("{}-{}", own_name_, left_);
      (void)renameat(folder, name.c_str(), root_, here.c_str());
    }
    closedir(entries);
    return remaining;
  }

  // A folder of the root, which is no link.
  void Remove(const std::string& name) {
    fchmodat(root_, name.c_str(), 0700, 0);
    const int folder = openat(root_, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) {
      (void)Empty(folder);
      close(folder);
    }
    if (unlinkat(root_, name.c_str(), AT_REMOVEDIR) != 0) left_ = 0;  // it cannot be had
  }

  const int root_;
  const std::string own_name_ = RandomHex(kOwnNameBytes);
  std::size_t left_ = kMostEntries;
};

}  // namespace

absl::StatusOr<std::string> MakeScratch() {
  std::string path = "/tmp/talon-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return ErrnoToStatus(errno, "make a folder below /tmp");
  return path;
}

void RemoveTree(const std::string& folder) {
  const int root = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (root < 0) return;
  (void)fchmod(root, 0700);
  Removal(root).Run();
  close(root);
  (void)rmdir(folder.c_str());
}

}  // namespace talon::plugin
