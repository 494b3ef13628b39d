// SPDX-License-Identifier: Apache-2.0
// When a plugin's process runs: started for a call, ended when idle, replaced when it misbehaves,
// restarted after a crash.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "plugin/supervisor.h"

namespace talon::plugin {
namespace {

// A call that ended while it waited for the process: its deadline or cancellation must not look
// like that of a call which may have been executed.
absl::Status NotExecuted(const absl::Status& why) {
  if (why.ok() || absl::IsUnavailable(why)) return why;
  return Unavailable(fmt::format("{}; nothing was executed", Message(why)));
}

}  // namespace

Supervisor::~Supervisor() {
  TALON_CHECK(process_ == nullptr && retired_.empty());
}

io::Task<absl::StatusOr<Supervisor::Process>> Supervisor::Acquire(CallContext context) {
  while (true) {
    if (stop_.token().cancelled()) co_return stop_.token().status();
    if (process_ != nullptr && process_->alive()) co_return process_;
    if (process_ != nullptr) Replace("it takes no more calls");
    if (state_ != PluginState::kStarting) {
      if (policy_.next_start() > dependencies_.clock.SteadyNow()) {
        TALON_CO_RETURN_IF_ERROR(NotExecuted(co_await WaitForTurn(context)));
        continue;
      }
      BeginStart();
    }
    TALON_CO_RETURN_IF_ERROR(NotExecuted(co_await WaitForStart(context)));
  }
}

// Until the restart policy allows a start; refused when that is later than the call may wait.
io::Task<absl::Status> Supervisor::WaitForTurn(CallContext context) {
  const SteadyTime now = dependencies_.clock.SteadyNow();
  const SteadyTime start = policy_.next_start();
  const bool failed = policy_.failed(now);
  const long wait_ms = std::chrono::ceil<std::chrono::milliseconds>(start - now).count();
  if (failed || start >= context.deadline) {
    state_ = failed ? PluginState::kFailed : PluginState::kBackingOff;
    co_return WithRetryAfter(
        Unavailable(fmt::format("{}; the next start is tried in {} ms",
                                failed ? "it crashed too often" : "it has crashed", wait_ms)),
        wait_ms);
  }
  state_ = PluginState::kBackingOff;
  // Ends at once when the host stops: the wait is over, Acquire sees why.
  CancelSource either(context.cancel);
  const auto registration =
      stop_.token().OnCancel([&either] { either.Cancel(Cancelled("the plugin host stops")); });
  CallContext wait = context;
  wait.cancel = either.token();
  const absl::Status slept = co_await loop_.SleepUntil(start, wait);
  if (state_ == PluginState::kBackingOff) state_ = PluginState::kStopped;
  co_return slept;
}

io::Task<absl::Status> Supervisor::WaitForStart(CallContext context) {
  const auto done = std::make_shared<io::OneShot<absl::Status>>();
  start_waiters_.push_back(done);
  const auto timer = loop_.CallAt(context.deadline, [done] {
    done->Set(DeadlineExceeded("the plugin did not start before the call's deadline"));
  });
  const auto registration =
      context.cancel.OnCancel([done, token = context.cancel] { done->Set(token.status()); });
  const absl::Status status = co_await done->Wait();
  loop_.CancelTimer(timer);
  co_return status;
}

void Supervisor::BeginStart() {
  TALON_CHECK(process_ == nullptr);
  state_ = PluginState::kStarting;
  if (std::exchange(crashed_before_, false)) ++restarts_;
  tasks_.Spawn(RunStart());
}

io::Task<void> Supervisor::RunStart() {
  // Two processes in one data directory could spoil it.
  co_await endings_.Join();
  CallContext context;
  context.deadline = dependencies_.clock.SteadyNow() + entry_.start_timeout;
  context.cancel = stop_.token();
  auto started = co_await Launch(context, /*configure=*/true);
  if (started.ok() && stop_.token().cancelled()) {
    co_await (*started)->Stop(StopKind::kGraceful);
    started = stop_.token().status();
  }
  absl::Status status = started.status();
  if (started.ok()) {
    process_ = *std::move(started);
    state_ = PluginState::kRunning;
    abandoned_ = 0;
    last_used_ = dependencies_.clock.SteadyNow();
    policy_.NoteStart(last_used_);
    process_->OnEnded([this, process = process_.get()] {
      if (process_.get() == process) Crashed();
    });
    watch_ = CancelSource(stop_.token());
    if (manifest_.watch) tasks_.Spawn(Watch(process_, watch_.token()));
    if (entry_.idle_stop.count() > 0) ArmIdleStop(last_used_ + entry_.idle_stop);
    log_->Note(fmt::format("started, process {}", process_->pid()));
    log::Debug("plugin started", {{"plugin", name_}, {"pid", process_->pid()}});
  } else {
    state_ = PluginState::kStopped;
    if (!stop_.token().cancelled()) {
      if (ReasonOf(status) == ErrorReason::kDenied) {
        state_ = PluginState::kUntrusted;
      } else {
        NoteCrash();
      }
      last_error_ = Message(status);
      log_->Note("did not start: " + last_error_);
      log::Warn("plugin did not start", {{"plugin", name_}, {"reason", last_error_}});
    }
    // Not the caller's deadline, and nothing was executed.
    status = Unavailable(fmt::format("it did not start: {}", Message(status)));
  }
  for (const auto& waiter : std::exchange(start_waiters_, {})) waiter->Set(status);
}

void Supervisor::NoteCrash() {
  const SteadyTime now = dependencies_.clock.SteadyNow();
  policy_.NoteCrash(now);
  crashed_before_ = true;
  state_ = policy_.failed(now) ? PluginState::kFailed : PluginState::kStopped;
}

Supervisor::Process Supervisor::TakeProcess() {
  watch_.Cancel(Cancelled("the process gets no more calls"));
  loop_.CancelTimer(idle_timer_);
  return std::exchange(process_, nullptr);
}

// The process ended or its connection did, and nobody had asked for it.
void Supervisor::Crashed() {
  NoteCrash();
  endings_.Spawn(CleanUpCrash(TakeProcess()));
}

io::Task<void> Supervisor::CleanUpCrash(Process process) {
  co_await process->Stop(StopKind::kKill);
  const absl::Status why = co_await process->Explain(Unavailable("it ended or its connection did"));
  last_error_ = Message(why);
  log_->Note("crashed: " + last_error_);
  log::Warn("plugin crashed",
            {{"plugin", name_}, {"pid", process->pid()}, {"reason", last_error_}});
}

// Its calls go on in the old process; new ones get a new process.
void Supervisor::Replace(std::string_view why) {
  log::Warn("plugin process is replaced",
            {{"plugin", name_}, {"pid", process_->pid()}, {"reason", why}});
  retired_.push_back(process_);
  tasks_.Spawn(End(TakeProcess(), SteadyTime::max()));
  state_ = PluginState::kStopped;
}

// One timer, not one a call: it looks when it fires whether the plugin was used meanwhile.
void Supervisor::ArmIdleStop(SteadyTime at) {
  idle_timer_ = loop_.CallAt(at, [this] { IdleStop(); });
}

void Supervisor::IdleStop() {
  if (process_ == nullptr) return;
  const SteadyTime now = dependencies_.clock.SteadyNow();
  const SteadyTime from = process_->calls_in_flight() > 0 ? now : last_used_;
  if (from + entry_.idle_stop > now) return ArmIdleStop(from + entry_.idle_stop);
  log_->Note("idle, stopped");
  log::Debug("plugin is idle and is stopped", {{"plugin", name_}, {"pid", process_->pid()}});
  state_ = PluginState::kStopped;
  endings_.Spawn([](Process process) -> io::Task<void> {
    co_await process->Stop(StopKind::kGraceful);
  }(TakeProcess()));
}

void Supervisor::EndProcess() {
  policy_.Reset();
  crashed_before_ = false;
  const bool waits = state_ == PluginState::kFailed || state_ == PluginState::kBackingOff;
  if (loaded_ && waits) state_ = PluginState::kStopped;
  if (process_ == nullptr) return;
  log_->Note("stopped by the operator");
  state_ = PluginState::kStopped;
  const SteadyTime deadline = dependencies_.clock.SteadyNow() + dependencies_.options.drain_grace;
  retired_.push_back(process_);
  endings_.Spawn(End(TakeProcess(), deadline));
}

io::Task<void> Supervisor::End(Process process, SteadyTime deadline) {
  co_await process->Drained(deadline);
  CutOff(*process, "the plugin was stopped");
  co_await process->Stop(StopKind::kGraceful);
  std::erase(retired_, process);
}

io::Task<absl::Status> Supervisor::Restart() {
  const auto self = shared_from_this();
  if (!loaded_) {
    co_return FailedPrecondition(
        fmt::format("plugin '{}': restart: it is not in use; `talon plugins inspect {}` says why",
                    name_, name_));
  }
  EndProcess();
  CallContext context;
  context.deadline =
      dependencies_.clock.SteadyNow() + dependencies_.options.drain_grace + entry_.start_timeout;
  co_return Annotate((co_await Acquire(std::move(context))).status(),
                     fmt::format("plugin '{}': restart", name_));
}

}  // namespace talon::plugin
