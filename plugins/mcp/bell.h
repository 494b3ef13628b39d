// SPDX-License-Identifier: Apache-2.0
// Wakes a thread that waits for something to happen, for its own cancellation or for a deadline, in
// one poll(2). Ring from any thread; one thread waits.
#pragma once

#include <chrono>

#include "talon/sdk/workspace.h"

namespace talon::plugins::mcp {

using Clock = std::chrono::steady_clock;

class Bell {
 public:
  Bell();
  void Ring();
  int fd() const { return fd_.get(); }
  // Takes a ring seen by one's own poll(2).
  void Take();

  enum class Woken { kRung, kCancelled, kTimedOut };
  // `cancel_fd` (readable = cancelled) may be -1; time_point::max() = no deadline. A ring is taken.
  Woken Wait(int cancel_fd, Clock::time_point deadline);

 private:
  sdk::Fd fd_;
};

// For a thread that writes to pipes or sockets: a broken one is an error and no signal.
void BlockPipeSignal();

}  // namespace talon::plugins::mcp
