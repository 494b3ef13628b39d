// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <string>

namespace talon {

// How often the calling thread has waited so far: what sleeps all the time does not count up.
inline long VoluntarySwitches() {
  std::ifstream status("/proc/thread-self/status");
  std::string word;
  long count = -1;
  while (status >> word) {
    if (word == "voluntary_ctxt_switches:") status >> count;
  }
  return count;
}

}  // namespace talon
