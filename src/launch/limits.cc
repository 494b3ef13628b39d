// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

#include <cstring>

#include "launch/layers.h"

namespace talon::launch {
namespace {

bool WriteText(const char* folder, const char* name, const char* text) {
  const int directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const int file = openat(directory, name, O_WRONLY | O_CLOEXEC);
  const auto length = static_cast<ssize_t>(std::strlen(text));
  const bool written = file >= 0 && write(file, text, static_cast<std::size_t>(length)) == length;
  const int error = errno;
  close(directory);
  if (file >= 0) close(file);
  errno = error;
  return written;
}

bool DropBounds() {
  int capability = 0;
  while (prctl(PR_CAPBSET_DROP, capability) == 0) ++capability;
  // EINVAL: they were all. Without the right to do it there is nothing in the bounding set that
  // could be gained either: no_new_privs is set.
  if (errno != EINVAL || capability == 0) return errno == EPERM;
  prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS);
  return true;
}

bool ClearCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

Outcome Unavailable() {
  return {Outcome::Kind::kUnavailable, errno};
}

Outcome Failed() {
  return {Outcome::Kind::kFailed, errno};
}

Outcome JoinCgroups(const Policy& policy) {
  if (policy.cgroups.size == 0) {
    errno = EACCES;
    return Unavailable();
  }
  for (const char* folder : policy.cgroups) {
    // Version 1 also moves a single thread, and this process has one: that needs no grace period of
    // the kernel, in which for milliseconds no process of the machine forks.
    if (WriteText(folder, "tasks", "0")) continue;
    if (errno != ENOENT || !WriteText(folder, "cgroup.procs", "0")) return Failed();
  }
  return Done();
}

Outcome SetLimits(const Policy& policy, bool count_processes) {
  for (const Limit& limit : policy.limits) {
    if (limit.resource == RLIMIT_NPROC && !count_processes) continue;
    rlimit now{};
    if (getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &now) != 0) return Failed();
    const rlim_t value = limit.value < now.rlim_max ? limit.value : now.rlim_max;
    const rlimit wanted{value, value};
    if (setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &wanted) != 0) return Failed();
  }
  return Done();
}

Outcome DropPrivileges(const Policy& policy) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !DropBounds()) return Failed();
  // Refused without the right to it, and inside a user namespace.
  const bool no_groups = syscall(SYS_setgroups, 0, nullptr) == 0;
  if (policy.own_uid) {
    const auto uid = static_cast<uid_t>(policy.uid);
    const auto gid = static_cast<gid_t>(policy.gid);
    // The securebits keep what the change of user would drop: ClearCapabilities drops it.
    if (!no_groups || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
      return Failed();
    }
  }
  if (!ClearCapabilities()) return Failed();
  return Done(policy.own_uid ? 1 : 0);
}

}  // namespace talon::launch
