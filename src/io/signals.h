// SPDX-License-Identifier: Apache-2.0
// POSIX signals as events on the loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace talon::io {

class Loop;

// Calls `on_signal` on the loop's thread for each delivery while it lives.
class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};

std::unique_ptr<SignalWatch> WatchSignals(Loop& loop, const std::vector<int>& signals,
                                          std::function<void(int)> on_signal);

}  // namespace talon::io
