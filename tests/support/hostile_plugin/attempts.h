// SPDX-License-Identifier: Apache-2.0
// What the hostile plugin tries. An attempt knows more than a plugin could find out (Facts) and
// tells what it got: text that begins with "GOT", or how it was refused. Every one is bounded by
// itself as well, so that it does no harm where a layer is missing.
#pragma once

#include <cerrno>
#include <map>
#include <string>
#include <vector>

namespace talon::hostile {

// daemon_pid, other_pid, home, secret (a word that stands in what must not be read), tcp_port,
// udp_port, control_socket, other_socket, foreign_socket, foreign_datagrams,
// view (has it one of its own?), abstract, data, processes.
using Facts = std::map<std::string, std::string>;

struct Attempt {
  const char* name;
  const char* layer;  // which is expected to hold
  std::string (*run)(const Facts& facts);
};

const std::vector<Attempt>& SpyAttempts();      // other processes: memory, signals
const std::vector<Attempt>& FileAttempts();     // files and ways out of its folder
const std::vector<Attempt>& NetworkAttempts();  // sockets of all kinds
const std::vector<Attempt>& KernelAttempts();   // calls nobody needs
const std::vector<Attempt>& HoardAttempts();    // processes, memory, files, output; what stays

// Of facts; 0 and "" when missing.
long Number(const Facts& facts, const char* name);
std::string Text(const Facts& facts, const char* name);

// Gathers what several ways to one thing gave.
class Tally {
 public:
  // A way that returned `result`, below 0 for refused with errno. What it got is closed.
  Tally& Way(const char* how, long result);
  void Got(const std::string& what);
  void Refused(const std::string& how, int error);
  std::string Say() const;

 private:
  std::string got_, refused_;
};

}  // namespace talon::hostile
