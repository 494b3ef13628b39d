// SPDX-License-Identifier: Apache-2.0
#include "model/patience.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <utility>

#include "base/status.h"
#include "io/loop.h"

namespace talon::model {

struct Patience::State {
  State(io::Loop& loop, CancelSource cancel) : timer(loop.context()), source(std::move(cancel)) {}
  boost::asio::steady_timer timer;
  CancelSource source;
  std::uint64_t armed = 0;  // which Arm() counts; a callback queued for an earlier one does nothing
  bool ran_out = false;
};

Patience::Patience(io::Loop& loop, CancelSource source)
    : state_(std::make_shared<State>(loop, std::move(source))) {}

Patience::~Patience() {
  Disarm();
}

void Patience::Arm(std::chrono::milliseconds wait) {
  std::uint64_t turn = ++state_->armed;
  state_->timer.expires_after(wait);
  state_->timer.async_wait([state = state_, turn](const boost::system::error_code& error) {
    if (error || state->armed != turn) return;
    state->ran_out = true;
    state->source.Cancel(DeadlineExceeded("waited too long"));
  });
}

void Patience::Disarm() {
  ++state_->armed;
  state_->timer.cancel();
}

bool Patience::ran_out() const {
  return state_->ran_out;
}

}  // namespace talon::model
