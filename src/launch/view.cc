// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

#include <climits>
#include <cstdio>
#include <cstring>

#include "launch/layers.h"

namespace talon::launch {
namespace {

// Of linux/mount.h, which does not go with sys/mount.h in older libraries.
constexpr unsigned kOpenTreeClone = 1;
constexpr unsigned kMoveMountEmptyPath = 4;
constexpr unsigned kRecursive = 0x8000;                                       // AT_RECURSIVE
constexpr std::uint64_t kReadOnly = 1, kNoSuid = 2, kNoDev = 4, kNoExec = 8;  // MOUNT_ATTR_*

constexpr char kSmall[] = "mode=755,size=1m,nr_inodes=4096";

struct MountAttr {
  std::uint64_t set, clear, propagation, userns;
};

// What is granted, by the grant's index; -1: does not exist, or is made in another way.
int trees[kMaxList];

int OpenTree(const char* path) {
  return static_cast<int>(
      syscall(SYS_open_tree, AT_FDCWD, path, kOpenTreeClone | O_CLOEXEC | kRecursive));
}

bool Restrict(int tree, std::uint64_t attributes) {
  MountAttr attr{attributes, 0, 0, 0};
  return syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | kRecursive, &attr, sizeof(attr)) == 0;
}

bool Place(int tree, const char* target) {
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, target, kMoveMountEmptyPath) == 0;
}

// Makes the folders above `path` below the working directory; answers the path from there.
const char* MakeParents(const char* path) {
  static char made[PATH_MAX];
  static std::size_t parent = 0;  // the length of the last one's
  const char* relative = path + std::strspn(path, "/");
  if (std::strlen(relative) >= sizeof(made)) return nullptr;
  // Most have the parent of the one before.
  const char* last = std::strrchr(relative, '/');
  const std::size_t wanted = last == nullptr ? 0 : static_cast<std::size_t>(last - relative);
  if (wanted == parent && std::memcmp(made, relative, wanted) == 0) return relative;
  parent = wanted;
  for (const char* slash = std::strchr(relative, '/'); slash != nullptr;
       slash = std::strchr(slash + 1, '/')) {
    const auto length = static_cast<std::size_t>(slash - relative);
    std::memcpy(made, relative, length);
    made[length] = '\0';
    // In a part that is already granted the folder exists, or the placing will say what is wrong.
    mkdir(made, 0755);
  }
  return relative;
}

bool MakeTarget(const char* relative, int tree) {
  struct stat source{};
  if (fstat(tree, &source) != 0) return false;
  if (S_ISDIR(source.st_mode)) return mkdir(relative, 0755) == 0 || access(relative, F_OK) == 0;
  const int file = open(relative, O_CREAT | O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0600);
  if (file >= 0) close(file);
  return file >= 0 || access(relative, F_OK) == 0;
}

std::uint64_t AttributesOf(char mode, bool strict) {
  switch (mode) {
    case 'd':
    case 's':
      return kNoSuid | kNoExec;
    case 'w':
      return kNoSuid | kNoDev | (strict ? kNoExec : 0);
    case 'r':
      return kNoSuid | kNoDev | kNoExec | kReadOnly;
    default:
      return kNoSuid | kNoDev | kReadOnly;
  }
}

// What is granted, taken from the old root before anything is hidden.
bool TakeGrants(const Policy& policy) {
  std::size_t index = 0;
  for (const Grant& grant : policy.grants) {
    int& tree = trees[index++];
    tree = -1;
    if (grant.mode == 'c' || std::strcmp(grant.path, kProc) == 0) continue;
    tree = OpenTree(grant.path);
    if (tree < 0 && (errno == ENOENT || errno == ENOTDIR)) continue;
    if (tree < 0 || !Restrict(tree, AttributesOf(grant.mode, policy.strict))) return false;
  }
  return true;
}

// An empty folder over what is shown there, if anything is.
bool Cover(const char* path) {
  const char* relative = MakeParents(path);
  if (relative == nullptr) return false;
  if (access(relative, F_OK) != 0) return errno == ENOENT;
  return mount("tmpfs", relative, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, kSmall) == 0;
}

// Once all that belongs into it is in it.
bool CloseCovers(const Policy& policy) {
  for (const Grant& grant : policy.grants) {
    const char* relative = grant.path + std::strspn(grant.path, "/");
    const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (grant.mode == 'c' && access(relative, F_OK) == 0 &&
        mount(nullptr, relative, nullptr, flags, nullptr) != 0) {
      return false;
    }
  }
  return true;
}

// An outer folder stands before what is in it.
bool PlaceGrants(const Policy& policy) {
  std::size_t index = 0;
  for (const Grant& grant : policy.grants) {
    const int tree = trees[index++];
    if (grant.mode == 'c' && !Cover(grant.path)) return false;
    if (tree < 0) continue;
    const char* relative = MakeParents(grant.path);
    if (relative == nullptr || !MakeTarget(relative, tree) || !Place(tree, relative)) return false;
  }
  return CloseCovers(policy);
}

bool MakeLinks(const Policy& policy, int old_root) {
  for (const char* path : policy.links) {
    char target[PATH_MAX];
    const ssize_t size = readlinkat(old_root, path + 1, target, sizeof(target) - 1);
    if (size <= 0) continue;
    target[size] = '\0';
    const char* relative = MakeParents(path);
    if (relative == nullptr || (symlink(target, relative) != 0 && errno != EEXIST)) return false;
  }
  mkdir("dev", 0755);
  return symlink("/proc/self/fd", "dev/fd") == 0 && symlink("/proc/self/fd/0", "dev/stdin") == 0 &&
         symlink("/proc/self/fd/1", "dev/stdout") == 0 &&
         symlink("/proc/self/fd/2", "dev/stderr") == 0;
}

bool MakeTmps(const Policy& policy) {
  for (const Tmp& tmp : policy.tmps) {
    char options[64];
    std::snprintf(options, sizeof(options), "mode=1777,nr_inodes=4096,size=%llu",
                  static_cast<unsigned long long>(tmp.bytes));
    const char* relative = MakeParents(tmp.path);
    if (relative == nullptr) return false;
    mkdir(relative, 0755);
    const unsigned long flags = MS_NOSUID | MS_NODEV | (policy.strict ? MS_NOEXEC : 0);
    if (mount("tmpfs", relative, "tmpfs", flags, options) != 0) return false;
  }
  return true;
}

// What tells of keys and of the kernel's memory is not for a plugin, least of all one of root's.
void MaskProc() {
  static constexpr const char* kMasked[] = {"proc/keys", "proc/key-users",  "proc/kcore",
                                            "proc/kmsg", "proc/timer_list", "proc/sysrq-trigger"};
  for (const char* path : kMasked) {
    const int null = OpenTree("dev/null");
    if (null >= 0) {
      Place(null, path);
      close(null);
    }
  }
}

// Of the new process namespace, or an empty folder: the kernel refuses it where a container hides
// parts of its own, and that one shows what runs beside the plugin.
Outcome MakeProc(const Policy& policy) {
  mkdir("proc", 0755);
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
  if (mount("proc", "proc", "proc", flags, policy.strict ? "subset=pid" : nullptr) != 0) {
    return Unavailable();
  }
  if (!policy.strict) MaskProc();
  return Done();
}

bool BecomeRoot() {
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) return false;
  const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
  return chdir("/") == 0 && mount(nullptr, "/", nullptr, flags, nullptr) == 0;
}

}  // namespace

Outcome BuildView(const Policy& policy, Outcome& proc) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Unavailable();
  if (!TakeGrants(policy)) return Unavailable();
  const int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (mount("tmpfs", policy.scratch, "tmpfs", MS_NOSUID | MS_NODEV, kSmall) != 0) {
    return Unavailable();
  }
  if (chdir(policy.scratch) != 0 || !MakeLinks(policy, old_root) || !MakeTmps(policy) ||
      !PlaceGrants(policy)) {
    return Failed();
  }
  proc = MakeProc(policy);
  if (!BecomeRoot()) return Failed();
  close(old_root);
  return Done();
}

int ShownGrant(std::size_t index) {
  return trees[index];
}

}  // namespace talon::launch
