// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "launch/layers.h"

namespace talon::launch {
namespace {

// Of linux/landlock.h; spelled out because the header may be older than the kernel.
constexpr std::uint64_t kExecute = 1u << 0, kWriteFile = 1u << 1, kReadFile = 1u << 2;
constexpr std::uint64_t kReadDir = 1u << 3, kMakeChar = 1u << 6, kMakeBlock = 1u << 11;
constexpr std::uint64_t kTruncate = 1u << 14, kIoctlDev = 1u << 15;
constexpr std::uint64_t kBindTcp = 1u << 0, kConnectTcp = 1u << 1;
constexpr std::uint64_t kScopeAbstract = 1u << 0, kScopeSignal = 1u << 1;

struct Ruleset {
  std::uint64_t handled_files, handled_network, scoped;
};

struct PathRule {
  std::uint64_t allowed;
  int parent;
} __attribute__((packed));

// All file rights the version knows: 13 in the first, then refer, truncate, ioctl on devices.
std::uint64_t FileRights(int version) {
  if (version >= 5) return (1u << 16) - 1;
  if (version >= 3) return (1u << 15) - 1;
  if (version >= 2) return (1u << 14) - 1;
  return (1u << 13) - 1;
}

std::uint64_t RightsOf(char mode, bool strict) {
  switch (mode) {
    case 'r':
      return kReadFile | kReadDir;
    case 'x':
      return kReadFile | kReadDir | kExecute;
    case 'd':
      return kReadFile | kWriteFile;
    case 's':
      return kReadFile;
    default:
      return ((1u << 16) - 1) & ~(kMakeChar | kMakeBlock | kIoctlDev | (strict ? kExecute : 0));
  }
}

bool AllowFile(int ruleset, int file, std::uint64_t rights) {
  constexpr std::uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;
  struct stat info{};
  if (fstat(file, &info) != 0) return false;
  if (!S_ISDIR(info.st_mode)) rights &= kOfFiles;
  const PathRule rule{rights, file};
  return syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0) == 0;
}

// A path that does not exist needs no rule.
bool Allow(int ruleset, const char* path, std::uint64_t rights) {
  const int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0) return errno == ENOENT || errno == ENOTDIR;
  const bool added = AllowFile(ruleset, file, rights);
  const int error = errno;
  close(file);
  errno = error;
  return added;
}

}  // namespace

Outcome ConfineFiles(const Policy& policy, bool own_view) {
  const int version = static_cast<int>(syscall(SYS_landlock_create_ruleset, nullptr, 0, 1));
  if (version < 1) return Unavailable();
  const std::uint64_t known = FileRights(version);
  Ruleset rules{known, 0, 0};
  if (version >= 4) rules.handled_network = kBindTcp | (policy.outbound ? 0 : kConnectTcp);
  if (version >= 6) rules.scoped = kScopeAbstract | kScopeSignal;
  std::size_t size = sizeof(std::uint64_t);
  if (version >= 4) size += sizeof(std::uint64_t);
  if (version >= 6) size += sizeof(std::uint64_t);
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, size, 0));
  if (ruleset < 0) return Failed();
  for (std::size_t i = 0; i < policy.grants.size; ++i) {
    const Grant& grant = policy.grants.items[i];
    if (grant.mode == 'c') continue;
    // Also none of it singly: its files are made anew when they are asked for, and a rule is lost.
    if (!own_view && std::strncmp(grant.path, kProc, sizeof(kProc) - 1) == 0) continue;
    const std::uint64_t rights = RightsOf(grant.mode, policy.strict) & known;
    const int shown = own_view ? ShownGrant(i) : -1;
    const bool added =
        shown >= 0 ? AllowFile(ruleset, shown, rights) : Allow(ruleset, grant.path, rights);
    if (!added) return Failed();
  }
  // Without a view of its own they are everybody's.
  for (std::size_t i = 0; own_view && i < policy.tmps.size; ++i) {
    const char* path = policy.tmps.items[i].path;
    if (!Allow(ruleset, path, RightsOf('w', policy.strict) & known)) return Failed();
  }
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) return Failed();
  close(ruleset);
  return Done(version);
}

}  // namespace talon::launch
