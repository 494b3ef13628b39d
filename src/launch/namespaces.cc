// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <cerrno>

#include <cstring>

#include "launch/layers.h"

namespace talon::launch {
namespace {

bool WriteFile(const char* path, const char* text, std::size_t size) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text, size) == static_cast<ssize_t>(size);
  const int error = errno;
  close(file);
  errno = error;
  return written;
}

// "<id> <id> 1": inside as outside.
std::size_t MapLine(unsigned id, char* out) {
  char digits[16];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + id % 10);
    id /= 10;
  } while (id != 0);
  std::size_t size = 0;
  for (int times = 0; times < 2; ++times) {
    for (std::size_t i = count; i > 0; --i) out[size++] = digits[i - 1];
    out[size++] = ' ';
  }
  out[size++] = '1';
  return size;
}

bool MapOnlyOurselves(unsigned uid, unsigned gid) {
  char line[40];
  std::size_t size = MapLine(uid, line);
  if (!WriteFile("/proc/self/uid_map", line, size)) return false;
  if (!WriteFile("/proc/self/setgroups", "deny", 4)) return false;
  size = MapLine(gid, line);
  return WriteFile("/proc/self/gid_map", line, size);
}

}  // namespace

Outcome EnterNamespaces(const Policy& policy) {
  if (!policy.namespaces) {
    errno = EPERM;
    return Unavailable();
  }
  const unsigned uid = geteuid();
  const unsigned gid = getegid();
  const int flags =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (policy.outbound ? 0 : CLONE_NEWNET);
  if (unshare(flags) == 0) return Done();
  if (errno != EPERM || unshare(flags | CLONE_NEWUSER) != 0) return Unavailable();
  if (!MapOnlyOurselves(uid, gid)) return Failed();
  return Done(1);
}

}  // namespace talon::launch
