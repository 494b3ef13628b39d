// SPDX-License-Identifier: Apache-2.0
#include "trigger/task_state.h"

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace talon::trigger {

journal::TimerRecord ToTimer(const std::string& name, const TaskState& state) {
  journal::TimerRecord timer;
  timer.id = std::string(kTimerKind) + ":" + name;
  timer.kind = kTimerKind;
  timer.key = name;
  timer.wake_at = state.due;
  timer.payload = DumpJson({{"run_id", state.run_id},
                            {"last_run", state.last_run.time_since_epoch().count()},
                            {"last_ok", state.last_ok},
                            {"last_summary", state.last_summary}});
  return timer;
}

TaskState FromTimer(const journal::TimerRecord& timer) {
  TaskState state;
  state.due = timer.wake_at;
  const auto json = ParseJson(timer.payload, "timer");
  if (!json.ok()) return state;
  state.run_id = JsonString(*json, "run_id");
  state.last_run = WallTime(std::chrono::microseconds(JsonInt(*json, "last_run")));
  state.last_ok = JsonBool(*json, "last_ok", true);
  state.last_summary = JsonString(*json, "last_summary");
  return state;
}

}  // namespace talon::trigger
