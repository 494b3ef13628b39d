// SPDX-License-Identifier: Apache-2.0
// A bounded wait for somebody else: cancels a source when it runs out. Loop's thread; private to
// the room.
#pragma once

#include <chrono>
#include <memory>

#include "base/cancel.h"

namespace talon::io {
class Loop;
}

namespace talon::model {

class Patience {
 public:
  // `loop` must outlive it.
  Patience(io::Loop& loop, CancelSource source);
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  // Replaces the wait under way.
  void Arm(std::chrono::milliseconds wait);
  void Disarm();
  bool ran_out() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with a timer callback that may be queued already
};

}  // namespace talon::model
