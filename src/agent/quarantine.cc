// SPDX-License-Identifier: Apache-2.0
#include "agent/quarantine.h"

namespace talon::agent {

io::Task<void> Quarantine::Enter() {
  if (occupied_) {
    const auto turn = std::make_shared<io::OneShot<bool>>();
    waiting_.push_back(turn);
    co_await turn->Wait();  // the place is handed over
  }
  occupied_ = true;
}

void Quarantine::Leave() {
  if (waiting_.empty()) {
    occupied_ = false;
    return;
  }
  const auto next = waiting_.front();
  waiting_.pop_front();
  next->Set(true);
}

}  // namespace talon::agent
