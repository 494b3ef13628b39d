// SPDX-License-Identifier: Apache-2.0
// When a plugin that crashed may start again: at once after the first crash, then after growing
// waits, and after too many crashes in a window not until a longer pause; the call after that pause
// is the trial. A process that kept up long enough makes the crashes before it forgotten. Pure but
// for the injected randomness; the owner tells the time.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "plugin/options.h"

namespace talon::plugin {

class RestartPolicy {
 public:
  // `random` gives values in [0, 1).
  RestartPolicy(const HostOptions& options, std::function<double()> random);

  void NoteStart(SteadyTime now) { started_ = now; }
  // A running process ended, or a start failed.
  void NoteCrash(SteadyTime now);
  // The operator wants it to run: as if it had never crashed.
  void Reset();
  // Earliest time of the next start; a time that has come means at once.
  SteadyTime next_start() const { return next_start_; }
  // Too many crashes in the window, and the pause after the last has not passed.
  bool failed(SteadyTime now) const { return failed_ && now < next_start_; }

 private:
  const HostOptions& options_;
  std::function<double()> random_;
  std::deque<SteadyTime> crashes_;  // within the window
  SteadyTime next_start_{};
  std::optional<SteadyTime> started_;  // of the process that runs
  bool failed_ = false;
};

}  // namespace talon::plugin
