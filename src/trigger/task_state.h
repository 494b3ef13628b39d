// SPDX-License-Identifier: Apache-2.0
// What is remembered of one scheduled task over restarts. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "journal/records.h"

namespace talon::trigger {

struct TaskState {
  WallTime due;
  std::string run_id;  // of the run under way; empty = none
  WallTime last_run;   // start of the last run that ended; the epoch = never
  bool last_ok = true;
  std::string last_summary;  // or the error
};

inline constexpr std::string_view kTimerKind = "task";

// `name` is "<plugin>/<task>". What cannot be read is as good as nothing.
journal::TimerRecord ToTimer(const std::string& name, const TaskState& state);
TaskState FromTimer(const journal::TimerRecord& timer);

}  // namespace talon::trigger
