// SPDX-License-Identifier: Apache-2.0
// The scheduled tasks of plugins (proto/talon/v1/schedule.proto): when each is due, and running it.
// Owned by daemon/. Loop's thread.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ids.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/task.h"
#include "journal/journal.h"
#include "plugin/extension/notify.h"
#include "plugin/host.h"
#include "trigger/task_state.h"

namespace talon::trigger {

struct TaskInfo {
  std::string plugin, task, description;
  bool enabled = true;
  bool running = false;
  std::chrono::milliseconds every{0};
  TaskState state;
};

class Tasks {
 public:
  struct Dependencies {
    io::Loop& loop;
    const Clock& clock;
    IdSource& ids;
    journal::Journal& journal;
    plugin::Host& plugins;
    plugin::Notifier& notifier;
  };
  // Everything in `dependencies` must outlive this.
  explicit Tasks(Dependencies dependencies) : deps_(dependencies), runs_(dependencies.loop) {}

  // Takes up what the journal knows and the loaded plugins offer, and arms the timer. Call it when
  // plugins are loaded, and again when they have changed. Errors are the journal's.
  io::Task<absl::Status> Start();
  // Ends the runs under way; they are done again at the next start. Await it before destruction.
  io::Task<void> Stop();
  std::vector<TaskInfo> List() const;

 private:
  struct Known {
    std::string plugin;
    plugin::Manifest::Task task;
    TaskState state;
    bool running = false;
  };

  void Take(const std::string& plugin, const plugin::Manifest::Task& task,
            const std::map<std::string, TaskState>& stored);
  void Arm();
  void RunDue();
  io::Task<void> Run(std::string name);
  io::Task<absl::StatusOr<std::string>> Ask(std::string name);
  // Takes in how a run ended; `next` is from now.
  void Conclude(Known& known, WallTime started, const absl::StatusOr<std::string>& summary,
                std::chrono::milliseconds next);
  io::Task<void> Store(std::string name);

  Dependencies deps_;
  io::Nursery runs_;
  CancelSource stop_;
  io::TimerId timer_;
  std::map<std::string, Known> tasks_;  // by "<plugin>/<task>"
  bool started_ = false;                // at_start counts once
};

}  // namespace talon::trigger
