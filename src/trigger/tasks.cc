// SPDX-License-Identifier: Apache-2.0
#include "trigger/tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/derived_principal.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/extension/options.h"
#include "talon/v1/schedule.pb.h"

namespace talon::trigger {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kMethod = "/talon.v1.ScheduledTask/RunTask";
constexpr std::size_t kMaxSummary = 512;
constexpr milliseconds kShortestNext{1'000};
constexpr milliseconds kLongestNext{std::chrono::hours(366 * 24)};

std::int64_t ToMs(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

std::string OneLine(std::string_view text) {
  std::string line = RepairUtf8(TruncateUtf8(text.substr(0, text.find('\n')), kMaxSummary));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return line;
}

// A timer acts for whom the plugin runs, and by nobody's hand.
Principal ActorOf(std::string_view task) {
  return DerivedFrom({.origin = "daemon"}, fmt::format("timer:{}", task));
}

}  // namespace

void Tasks::Take(const std::string& plugin, const plugin::Manifest::Task& task,
                 const std::map<std::string, TaskState>& stored) {
  const std::string name = fmt::format("{}/{}", plugin, task.name);
  const WallTime now = deps_.clock.Now();
  auto [found, fresh] = tasks_.try_emplace(name);
  Known& known = found->second;
  known.plugin = plugin;
  known.task = task;
  if (fresh) {
    const auto before = stored.find(name);
    if (before != stored.end()) known.state = before->second;
    if (before == stored.end()) known.state.due = now + task.every;
    if (task.at_start && !started_) known.state.due = now;
  }
  // A shorter time than it was armed with counts from now.
  known.state.due = std::min(known.state.due, now + task.every);
  // A run that was broken off is done again.
  if (!known.running && !known.state.run_id.empty())
    known.state.due = std::min(known.state.due, now);
}

io::Task<absl::Status> Tasks::Start() {
  auto timers = co_await deps_.journal.LoadTimers(std::string(kTimerKind));
  if (!timers.ok()) co_return timers.status();
  if (stop_.token().cancelled()) co_return absl::OkStatus();
  std::map<std::string, TaskState> stored;
  for (const journal::TimerRecord& timer : *timers) stored[timer.key] = FromTimer(timer);
  // What no plugin offers any more is not run; its row stays for when it is back.
  std::erase_if(tasks_, [](const auto& item) { return !item.second.running; });
  for (const plugin::PluginInfo& info : deps_.plugins.List()) {
    const plugin::Manifest* manifest = deps_.plugins.ManifestOf(info.name);
    if (manifest == nullptr) continue;
    for (const plugin::Manifest::Task& task : manifest->tasks) Take(info.name, task, stored);
  }
  started_ = true;
  for (const auto& [name, known] : tasks_) {
    if (known.task.enabled && !stored.contains(name)) runs_.Spawn(Store(name));
  }
  Arm();
  co_return absl::OkStatus();
}

io::Task<void> Tasks::Stop() {
  stop_.Cancel(Unavailable("the daemon stops; the task runs again at its next start"));
  deps_.loop.CancelTimer(timer_);
  co_await runs_.Join();
}

std::vector<TaskInfo> Tasks::List() const {
  std::vector<TaskInfo> list;
  for (const auto& [name, known] : tasks_) {
    list.push_back({.plugin = known.plugin,
                    .task = known.task.name,
                    .description = known.task.description,
                    .enabled = known.task.enabled,
                    .running = known.running,
                    .every = known.task.every,
                    .state = known.state});
  }
  return list;
}

void Tasks::Arm() {
  deps_.loop.CancelTimer(timer_);
  if (stop_.token().cancelled()) return;
  WallTime earliest = WallTime::max();
  for (const auto& [name, known] : tasks_) {
    if (known.task.enabled && !known.running) earliest = std::min(earliest, known.state.due);
  }
  if (earliest == WallTime::max()) return;
  const auto wait = std::max(earliest - deps_.clock.Now(), WallTime::duration::zero());
  timer_ = deps_.loop.CallAt(deps_.clock.SteadyNow() + wait, [this] { RunDue(); });
}

void Tasks::RunDue() {
  const WallTime now = deps_.clock.Now();
  for (auto& [name, known] : tasks_) {
    if (!known.task.enabled || known.running || known.state.due > now) continue;
    known.running = true;
    runs_.Spawn(Run(name));
  }
  Arm();
}

io::Task<void> Tasks::Store(std::string name) {
  const auto found = tasks_.find(name);
  if (found == tasks_.end()) co_return;
  const absl::Status stored = co_await deps_.journal.PutTimer(ToTimer(name, found->second.state));
  if (!stored.ok()) {
    log::Error("a task's time is not stored; a restart may run it again",
               {{"task", name}, {"status", StatusText(stored)}});
  }
}

io::Task<void> Tasks::Run(std::string name) {
  Known& known = tasks_.at(name);  // stays: it is running
  const WallTime started = deps_.clock.Now();
  if (known.state.run_id.empty()) known.state.run_id = "run_" + deps_.ids.Next();
  co_await Store(name);
  milliseconds next = known.task.every;
  absl::StatusOr<std::string> summary = Unavailable("the daemon stops");
  if (!stop_.token().cancelled()) {
    auto answer = co_await Ask(name);
    v1::RunTaskResponse response;
    if (answer.ok() && response.ParseFromString(*answer)) {
      summary = OneLine(response.summary());
      if (response.next_after_ms() > 0) {
        next = milliseconds(std::min<std::uint64_t>(
            response.next_after_ms(), static_cast<std::uint64_t>(kLongestNext.count())));
      }
      if (!response.notify_text().empty() && !stop_.token().cancelled()) {
        plugin::Note note{.id = known.state.run_id,
                          .title = RepairUtf8(response.notify_title()),
                          .text = RepairUtf8(response.notify_text()),
                          .level = plugin::NoteLevel::kWarning};
        CallContext context;
        context.principal = ActorOf(name);
        context.cancel = stop_.token();
        const auto sent = co_await deps_.notifier.Notify(std::move(note), std::move(context));
        if (!sent.ok()) {
          log::Warn("what a task has to tell was not delivered",
                    {{"task", name}, {"status", StatusText(sent.status())}});
        }
      }
    } else {
      summary = answer.ok() ? Internal("the answer is no RunTaskResponse") : answer.status();
    }
  }
  // A run that the daemon's end broke off keeps its id and is done again.
  if (stop_.token().cancelled() && !summary.ok()) co_return;
  Conclude(known, started, summary, std::max(next, kShortestNext));
  co_await Store(name);
  known.running = false;
  Arm();
}

io::Task<absl::StatusOr<std::string>> Tasks::Ask(std::string name) {
  const Known& known = tasks_.at(name);
  v1::RunTaskRequest request;
  request.set_task(known.task.name);
  request.set_run_id(known.state.run_id);
  request.set_due_at_ms(ToMs(known.state.due));
  request.set_last_run_at_ms(ToMs(known.state.last_run));
  CallContext context;
  context.principal = ActorOf(name);
  context.deadline = deps_.clock.SteadyNow() + known.task.timeout;
  context.cancel = stop_.token();
  co_return co_await deps_.plugins.Call(known.plugin, kMethod, request.SerializeAsString(),
                                        std::move(context), plugin::Repeat::kIfCrashed);
}

void Tasks::Conclude(Known& known, WallTime started, const absl::StatusOr<std::string>& summary,
                     milliseconds next) {
  const std::string name = fmt::format("{}/{}", known.plugin, known.task.name);
  known.state.run_id.clear();
  known.state.last_run = started;
  known.state.last_ok = summary.ok();
  known.state.last_summary = summary.ok() ? *summary : OneLine(Message(summary.status()));
  known.state.due = deps_.clock.Now() + next;
  if (summary.ok()) {
    log::Info("task ran", {{"task", name}, {"summary", *summary}});
  } else {
    log::Warn("task failed", {{"task", name}, {"status", StatusText(summary.status())}});
  }
}

}  // namespace talon::trigger
