// SPDX-License-Identifier: Apache-2.0
// Extension point: work that is due again and again. A plugin that also derives from ScheduledTasks
// adds its tasks in the constructor; the daemon keeps the clock and starts the plugin when one is
// due.
//
//   AddTask({.name = "check", .description = "Looks at the disk.", .every = std::chrono::hours(1),
//            .run = [this](const TaskRun&, const CallInfo&) { return Check(); }});
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct TaskRun {
  std::string run_id;  // the same when a run is repeated, as after a crash in the middle
  std::chrono::system_clock::time_point due_at;
  std::chrono::system_clock::time_point last_run_at;  // the epoch when it never ran
};

struct TaskReport {
  std::string summary;                      // for the log
  std::string notify_title, notify_text;    // text not empty: brought to the person
  std::chrono::milliseconds next_after{0};  // instead of `every`, once; 0 = as declared
};

struct Task {
  std::string name;  // ^[a-zA-Z0-9_-]{1,48}$
  std::string description;
  std::chrono::milliseconds every{0};    // from the end of one run to the next; at least 1 s
  bool at_start = false;                 // also when the daemon starts
  std::chrono::milliseconds timeout{0};  // 0 = 60 s
  std::function<absl::StatusOr<TaskReport>(const TaskRun&, const CallInfo&)> run;
};

class ScheduledTasks {
 public:
  virtual ~ScheduledTasks() = default;
  const std::vector<Task>& tasks() const { return tasks_; }

 protected:
  void AddTask(Task task) { tasks_.push_back(std::move(task)); }

 private:
  std::vector<Task> tasks_;
};

}  // namespace talon::sdk
