// SPDX-License-Identifier: Apache-2.0
// Turns that were under way when the process ended several times in a row: one of them may be the
// cause. They run one at a time until each gets a step further, so that the one that ends the
// process is alone with it, and the others do not fail for it. Loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "io/one_shot.h"
#include "io/task.h"

namespace talon::agent {

class Quarantine {
 public:
  // Restarts without a step further from which a turn is a suspect.
  static constexpr std::uint32_t kFrom = 2;

  // Ends when nobody else is in it. In the order of arrival.
  io::Task<void> Enter();
  // Who has entered must leave.
  void Leave();

 private:
  bool occupied_ = false;
  std::deque<std::shared_ptr<io::OneShot<bool>>> waiting_;  // shared with those who wait
};

}  // namespace talon::agent
