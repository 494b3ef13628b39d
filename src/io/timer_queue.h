// SPDX-License-Identifier: Apache-2.0
// The loop's timers: a sorted map and one timerfd, armed for the earliest entry and disarmed when
// none is left, so that waiting costs no wake-up. Part of Loop; loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "io/loop.h"

namespace talon::io {

class TimerQueue {
 public:
  TimerQueue();
  ~TimerQueue();
  // Open before the first Add; Close before `context` dies. Add and Cancel stay legal after Close
  // (coroutines that die with the loop may still call them), but nothing fires any more.
  void Open(boost::asio::io_context& context);
  void Close();

  TimerId Add(SteadyTime at, absl::AnyInvocable<void()> work);
  void Cancel(TimerId id);
  // Runs an entry's work now, inside this call, instead of at its time.
  void FireNow(TimerId id);

 private:
  struct Descriptor;
  void Wait();
  void Expired();
  void Arm();

  std::map<TimerId, absl::AnyInvocable<void()>> entries_;
  std::uint64_t next_number_ = 1;
  SteadyTime armed_ = SteadyTime::max();  // max() = the timerfd is disarmed
  bool firing_ = false;
  bool closed_ = true;
  std::unique_ptr<Descriptor> descriptor_;
};

}  // namespace talon::io
