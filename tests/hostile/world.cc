// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace talon::hostile {
namespace {

namespace fs = std::filesystem;

constexpr key_t kSharedKey = 0x7a105;
constexpr const char* kFiles[] = {"talon.db", "token", "talon.yaml", "ssh/id_ed25519",
                                  "plugins/plugins.lock"};

}  // namespace

World::World(std::string home, std::string secret)
    : home_(std::move(home)), foreign_("/tmp/talon-hostile-" + std::to_string(getpid())) {
  for (const char* file : kFiles) {
    const fs::path path = fs::path(home_) / file;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << secret << '\n';
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
  fs::create_directories(home_ + "/run");
  fs::create_directories(foreign_);
  tcp_port_ = ListenInet("tcp", SOCK_STREAM);
  udp_port_ = ListenInet("udp", SOCK_DGRAM);
  ListenUnix("control socket", home_ + "/run/control.sock", false, SOCK_STREAM);
  ListenUnix("foreign socket", foreign_ + "/docker.sock", false, SOCK_STREAM);
  ListenUnix("datagram socket", foreign_ + "/log", false, SOCK_DGRAM);
  ListenUnix("abstract socket", "talon-hostile-" + std::to_string(getpid()), true, SOCK_STREAM);
  shared_memory_ = shmget(kSharedKey, 4096, IPC_CREAT | 0666);
  seen_ = Look();
}

World::~World() {
  for (const Listener& listener : listeners_) close(listener.fd);
  shmctl(shared_memory_, IPC_RMID, nullptr);
  fs::remove_all(foreign_);
}

void World::Listen(const std::string& name, int fd, const void* address, std::uint32_t size) {
  TALON_CHECK(fd >= 0 && bind(fd, static_cast<const sockaddr*>(address), size) == 0);
  (void)listen(fd, 16);  // of the datagram socket it fails, and is not needed
  listeners_.push_back({name, fd});
}

void World::ListenUnix(const std::string& name, const std::string& path, bool abstract, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  TALON_CHECK(path.size() + 1 < sizeof(address.sun_path));
  std::memcpy(address.sun_path + (abstract ? 1 : 0), path.data(), path.size());
  const std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 1 : 0);
  Listen(name, socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), &address,
         static_cast<std::uint32_t>(size));
  if (!abstract) chmod(path.c_str(), 0777);
}

std::uint16_t World::ListenInet(const std::string& name, int type) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Listen(name, fd, &address, sizeof(address));
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::map<std::string, std::string> World::Facts() const {
  return {{"home", home_},
          {"daemon_pid", std::to_string(getpid())},
          {"tcp_port", std::to_string(tcp_port_)},
          {"udp_port", std::to_string(udp_port_)},
          {"control_socket", home_ + "/run/control.sock"},
          {"foreign_socket", foreign_ + "/docker.sock"},
          {"foreign_datagrams", foreign_ + "/log"},
          {"abstract", "talon-hostile-" + std::to_string(getpid())},
          {"shm_id", std::to_string(shared_memory_)},
          {"shm_key", std::to_string(kSharedKey)}};
}

std::map<std::string, std::string> World::Look() const {
  std::map<std::string, std::string> found;
  for (const char* file : kFiles) {
    const std::string path = home_ + "/" + file;
    std::ifstream stream(path);
    struct stat info{};
    if (stat(path.c_str(), &info) != 0) continue;
    found[path] = std::string(std::istreambuf_iterator<char>(stream), {}) +
                  std::to_string(info.st_mode) + " " + std::to_string(info.st_mtim.tv_nsec) + " " +
                  std::to_string(info.st_nlink);
  }
  for (const auto& entry : fs::directory_iterator(home_)) found[entry.path()] += "stands";
  for (const char* path : {"/usr/bin/evil", "/etc/evil", "/evil", "/var/tmp/evil"}) {
    if (fs::exists(path)) found[path] = "made";
  }
  return found;
}

std::string World::Touched() {
  std::string touched;
  for (const Listener& listener : listeners_) {
    char bytes[64];
    int connection = -1;
    while ((connection = accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0) {
      touched += listener.name + " was connected to; ";
      close(connection);
    }
    if (recv(listener.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
      touched += listener.name + " received; ";
    }
  }
  auto now = Look();
  if (now != seen_) touched += "files changed; ";
  seen_ = std::move(now);
  return touched;
}

}  // namespace talon::hostile
