// SPDX-License-Identifier: Apache-2.0
// What the hostile plugin is set upon: files with secrets, sockets that listen, memory that is
// shared. Tells afterwards, from outside, whether any of it was touched.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace talon::hostile {

class World {
 public:
  // `home` exists and is empty. `secret` is what the files hold.
  World(std::string home, std::string secret);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What a plugin could not know.
  std::map<std::string, std::string> Facts() const;
  // What was touched since the last time; empty: nothing.
  std::string Touched();

 private:
  struct Listener {
    std::string name;
    int fd;
  };
  void Listen(const std::string& name, int fd, const void* address, std::uint32_t size);
  void ListenUnix(const std::string& name, const std::string& path, bool abstract, int type);
  std::uint16_t ListenInet(const std::string& name, int type);
  std::map<std::string, std::string> Look() const;

  const std::string home_, foreign_;
  std::vector<Listener> listeners_;
  std::uint16_t tcp_port_ = 0, udp_port_ = 0;
  int shared_memory_ = -1;
  std::map<std::string, std::string> seen_;  // path to content and attributes
};

}  // namespace talon::hostile
