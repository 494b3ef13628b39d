// SPDX-License-Identifier: Apache-2.0
// Time is injected, so that tests run years in milliseconds. Any thread.
#pragma once

#include <chrono>
#include <string>

namespace talon {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;  // since the Unix epoch, UTC
using SteadyTime = std::chrono::steady_clock::time_point;           // for deadlines only

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual SteadyTime SteadyNow() const = 0;
};

class SystemClock : public Clock {
 public:
  WallTime Now() const override;
  SteadyTime SteadyNow() const override;
};

// "2026-01-31T12:34:56.789Z".
std::string FormatTime(WallTime time);

}  // namespace talon
