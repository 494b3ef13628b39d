// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
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

constexpr int kChildren = 2;  // the first process and the program

// One byte with one descriptor.
struct Letter {
  Letter() {
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;

  char byte = 0;
  iovec text{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
};

}  // namespace

Outcome EnterNamespaces() {
  const unsigned uid = geteuid();
  const unsigned gid = getegid();
  const int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
  if (unshare(flags) == 0) return Done();
  if (errno != EPERM || unshare(flags | CLONE_NEWUSER) != 0) return Unavailable();
  if (!MapOnlyOurselves(uid, gid)) return Failed();
  return Done(1);
}

int OwnNamespaces() {
  return open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

bool MakeNetwork(int to, int own) {
  if (unshare(CLONE_NEWNET) != 0) return false;
  const int network = openat(own, "net", O_RDONLY | O_CLOEXEC);
  if (network < 0) return false;
  Letter letter;
  cmsghdr* const header = CMSG_FIRSTHDR(&letter.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(network));
  std::memcpy(CMSG_DATA(header), &network, sizeof(network));
  bool sent = true;
  for (int child = 0; child < kChildren; ++child) {
    sent = sent && sendmsg(to, &letter.message, MSG_NOSIGNAL) == 1;
  }
  const int error = errno;
  close(network);
  errno = error;
  return sent;
}

bool JoinNetwork(int from) {
  Letter letter;
  if (recvmsg(from, &letter.message, MSG_CMSG_CLOEXEC) != 1) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&letter.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
  int network = -1;
  std::memcpy(&network, CMSG_DATA(header), sizeof(network));
  const bool joined = setns(network, CLONE_NEWNET) == 0;
  const int error = errno;
  close(network);
  errno = error;
  return joined;
}

}  // namespace talon::launch
