// SPDX-License-Identifier: Apache-2.0
// Lets one coroutine in at a time. Confined to the loop's thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "io/one_shot.h"
#include "io/task.h"

namespace talon::plugin {

class Turnstile {
 public:
  io::Task<void> Enter() {
    while (inside_) {
      const auto free = std::make_shared<io::OneShot<bool>>();
      waiters_.push_back(free);
      co_await free->Wait();
    }
    inside_ = true;
  }
  void Leave() {
    inside_ = false;
    for (const auto& waiter : std::exchange(waiters_, {})) waiter->Set(true);
  }

 private:
  bool inside_ = false;
  std::vector<std::shared_ptr<io::OneShot<bool>>> waiters_;  // shared with those who wait
};

}  // namespace talon::plugin
