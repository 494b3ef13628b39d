// SPDX-License-Identifier: Apache-2.0
// How one supervisor takes over from another, and how one ends.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "plugin/supervisor.h"

namespace talon::plugin {

void Supervisor::HandOver(const std::shared_ptr<Supervisor>& successor) {
  successor_ = successor;
  if (successor == nullptr) return;
  successor->calls_ += calls_;
  successor->failures_ += failures_;
  successor->restarts_ += restarts_;
}

std::shared_ptr<Supervisor> Supervisor::Current() {
  std::shared_ptr<Supervisor> current = shared_from_this();
  while (current->successor_ != nullptr) current = current->successor_;
  return current;
}

io::Task<absl::Status> Supervisor::Start() {
  const auto self = shared_from_this();
  CallContext context;
  context.deadline = dependencies_.clock.SteadyNow() + entry_.start_timeout;
  co_return (co_await Acquire(std::move(context))).status();
}

io::Task<void> Supervisor::Drained(SteadyTime deadline) {
  const auto self = shared_from_this();
  if (busy_ > 0 && !stop_.token().cancelled()) {
    const auto done = std::make_shared<io::OneShot<bool>>();
    drain_waiters_.push_back(done);
    const auto timer = loop_.CallAt(deadline, [done] { done->Set(false); });
    const auto registration = stop_.token().OnCancel([done] { done->Set(false); });
    co_await done->Wait();
    loop_.CancelTimer(timer);
  }
}

void Supervisor::CutOff(PluginProcess& process, std::string_view why) {
  if (process.calls_in_flight() == 0) return;
  log_->Note(fmt::format("{} calls were cut: {}", process.calls_in_flight(), why));
  log::Warn("calls of a plugin are cut", {{"plugin", name_},
                                          {"pid", process.pid()},
                                          {"calls", process.calls_in_flight()},
                                          {"reason", why}});
  process.NoteCut(why);
}

void Supervisor::Abort(const absl::Status& why) {
  stop_.Cancel(why);
  loop_.CancelTimer(idle_timer_);
  // A start under way ends by its cancellation.
  for (const Process& process : retired_) {
    CutOff(*process, Message(why));
    process->Kill();
  }
}

io::Task<void> Supervisor::Stop(absl::Status why) {
  const auto self = shared_from_this();
  Abort(why);
  if (process_ != nullptr) {
    CutOff(*process_, Message(why));
    endings_.Spawn([](Process process) -> io::Task<void> {
      co_await process->Stop(StopKind::kGraceful);
    }(TakeProcess()));
  }
  if (state_ != PluginState::kFailed && state_ != PluginState::kUntrusted) {
    state_ = PluginState::kStopped;
  }
  co_await tasks_.Join();
  co_await endings_.Join();
}

}  // namespace talon::plugin
