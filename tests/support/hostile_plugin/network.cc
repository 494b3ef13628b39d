// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "attempts.h"

namespace talon::hostile {
namespace {

sockaddr_in Loopback(long port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

std::string Tcp(const Facts& facts) {
  Tally tally;
  const sockaddr_in address = Loopback(Number(facts, "tcp_port"));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    tally.Refused("socket", errno);
  } else {
    tally.Way("connect", connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    close(fd);
  }
  const int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  tally.Way("socket v6", six);
  return tally.Say();
}

std::string Listen(const Facts&) {
  Tally tally;
  const sockaddr_in address = Loopback(0);
  for (const int protocol : {IPPROTO_TCP, IPPROTO_MPTCP}) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
      tally.Refused("socket", errno);
      continue;
    }
    tally.Way("bind", bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    close(fd);
  }
  return tally.Say();
}

std::string Udp(const Facts& facts) {
  Tally tally;
  const sockaddr_in address = Loopback(Number(facts, "udp_port"));
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    tally.Refused("socket", errno);
    return tally.Say();
  }
  tally.Way("send",
            sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
  close(fd);
  return tally.Say();
}

std::string Names(const Facts&) {
  addrinfo* found = nullptr;
  const int error = getaddrinfo("example.com", "80", nullptr, &found);
  if (error != 0) return std::string("getaddrinfo: ") + gai_strerror(error);
  freeaddrinfo(found);
  return "GOT a name resolved";
}

void ConnectUnix(Tally& tally, const char* how, const std::string& name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t offset = abstract ? 1 : 0;
  if (name.empty() || name.size() + offset >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path + offset, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + offset + name.size());
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    const int connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), size);
    tally.Way(how, connected);
    close(fd);
  }
}

std::string PathSockets(const Facts& facts) {
  Tally tally;
  ConnectUnix(tally, "daemon", Text(facts, "control_socket"), false);
  ConnectUnix(tally, "plugin", Text(facts, "other_socket"), false);
  ConnectUnix(tally, "foreign", Text(facts, "foreign_socket"), false);
  for (const char* path :
       {"/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket",
        "/run/systemd/private", "/run/containerd/containerd.sock"}) {
    ConnectUnix(tally, "system", path, false);
  }
  return tally.Say();
}

// What a plugin can find out by itself: where the sockets of others are.
std::string FindSockets(const Facts& facts) {
  Tally tally;
  const std::string own = std::getenv("TMPDIR");
  const bool whole = Text(facts, "view") == "yes";
  std::ifstream list("/proc/net/unix");
  int number = 0;
  for (std::string line; std::getline(list, line);) {
    const std::size_t path = line.find('/');
    if (path == std::string::npos) continue;
    if (line.compare(path, own.size(), own) == 0) continue;
    if (!whole) tally.Got("the path " + line.substr(path));  // else it leads nowhere
    if (++number < 8) ConnectUnix(tally, "listed", line.substr(path), false);
  }
  if (number == 0) tally.Refused("/proc/net/unix", list.is_open() ? 0 : errno);
  const std::string run = own.substr(0, own.rfind('/'));
  const int folder = open(run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  char names[4096];
  const long read = folder < 0 ? -1 : syscall(SYS_getdents64, folder, names, sizeof(names));
  if (read > 0 && std::string_view(names, static_cast<std::size_t>(read)).find("p-") !=
                      std::string_view::npos) {
    // With a view of its own it is in there alone.
    for (long at = 0; at < read;) {
      const char* name = names + at + 19;  // behind inode, offset, length and type
      if (std::strncmp(name, "p-", 2) == 0 && own != run + "/" + name) tally.Got(name);
      at += *reinterpret_cast<const unsigned short*>(names + at + 16);
    }
  }
  if (folder < 0) tally.Refused("list", errno);
  if (folder >= 0) close(folder);
  const int watch = inotify_init1(IN_CLOEXEC);
  if (!whole) tally.Way("watch", inotify_add_watch(watch, run.c_str(), IN_CREATE));
  close(watch);
  return tally.Say();
}

// From a socket of a pair, which needs no connecting. The kernel makes a datagram socket of a raw
// one.
std::string SendTo(const Facts& facts) {
  Tally tally;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = Text(facts, "foreign_datagrams");
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  for (const int type : {SOCK_DGRAM, SOCK_RAW}) {
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) {
      tally.Refused("pair", errno);
      continue;
    }
    tally.Way("send", sendto(pair[0], "x", 1, MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    close(pair[0]);
    close(pair[1]);
  }
  return tally.Say();
}

std::string Abstract(const Facts& facts) {
  Tally tally;
  ConnectUnix(tally, "abstract", Text(facts, "abstract"), true);
  return tally.Say();
}

std::string OtherFamilies(const Facts&) {
  Tally tally;
  const struct {
    const char* name;
    int family, type, protocol;
  } kinds[] = {{"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP},
               {"packet", AF_PACKET, SOCK_RAW, 0},
               {"netlink audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
               {"netlink uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT},
               {"netlink netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
               {"vsock", AF_VSOCK, SOCK_STREAM, 0},
               {"alg", AF_ALG, SOCK_SEQPACKET, 0},
               {"bluetooth", AF_BLUETOOTH, SOCK_RAW, 0},
               {"xdp", AF_XDP, SOCK_RAW, 0},
               {"key", AF_KEY, SOCK_RAW, 2}};
  for (const auto& kind : kinds) {
    tally.Way(kind.name, socket(kind.family, kind.type | SOCK_CLOEXEC, kind.protocol));
  }
  return tally.Say();
}

std::string SharedSegment(const Facts& facts) {
  Tally tally;
  const int id = static_cast<int>(Number(facts, "shm_id"));
  const void* memory = shmat(id, nullptr, 0);
  tally.Way("shmat", memory == reinterpret_cast<void*>(-1) ? -1 : 0);
  tally.Way("shmget", shmget(static_cast<key_t>(Number(facts, "shm_key")), 0, 0));
  return tally.Say();
}

}  // namespace

const std::vector<Attempt>& NetworkAttempts() {
  static const std::vector<Attempt> attempts = {
      {"tcp to the daemon's port", "net ns, seccomp, Landlock", Tcp},
      {"listen on tcp", "net ns, seccomp, Landlock", Listen},
      {"udp", "net ns, seccomp", Udp},
      {"resolve a name", "net ns, view", Names},
      {"path sockets: daemon, other plugin, docker, dbus", "view", PathSockets},
      {"find the sockets of others", "view, seccomp", FindSockets},
      {"send to a datagram socket of others", "view, seccomp", SendTo},
      {"abstract sockets", "net ns, Landlock", Abstract},
      {"raw, packet, netlink, vsock, alg sockets", "seccomp", OtherFamilies},
      {"System V shared memory of others", "ipc ns", SharedSegment},
  };
  return attempts;
}

}  // namespace talon::hostile
