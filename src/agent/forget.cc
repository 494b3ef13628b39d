// SPDX-License-Identifier: Apache-2.0
// Sessions that nobody gave a key are forgotten some time after their last turn. The journal knows
// when each was used; one timer is armed for the longest unused. A clock that jumps while the
// daemon runs forgets nothing early; what was unused when it started is as old as the wall's clock
// says then.
#include <algorithm>
#include <optional>

#include "agent/agent_impl.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"

namespace talon::agent {
namespace {

constexpr std::int64_t kPage = 64;  // forgotten at once
// The timer is this part of the whole time late, so that many are forgotten by one wake-up.
constexpr int kSlack = 64;

}  // namespace

bool AgentImpl::InUse(const SessionId& id) {
  const Session* session = sessions_.Find(id);
  return session != nullptr && !session->idle();
}

WallTime AgentImpl::AgingNow() const {
  const auto passed = core_.deps.clock.SteadyNow() - started_at_.second;
  return std::min(core_.deps.clock.Now(),
                  started_at_.first + std::chrono::floor<WallTime::duration>(passed));
}

void AgentImpl::ForgetUnnamedIn(WallTime::duration wait) {
  const WallTime::duration keep = core_.deps.journal.keep_unnamed();
  if (stopping_ || keep.count() == 0 || std::exchange(forget_armed_, true)) return;
  // No longer than one is kept: by a clock that was set back, it may be due in years.
  wait = std::clamp(wait, WallTime::duration::zero(), keep) + keep / kSlack;
  forget_timer_ = core_.deps.loop.CallAt(
      core_.deps.clock.SteadyNow() + std::chrono::duration_cast<SteadyTime::duration>(wait),
      [this] { nursery_.Spawn(ForgetUnnamed()); });
}

io::Task<void> AgentImpl::ForgetUnnamed() {
  const auto keep = core_.deps.journal.keep_unnamed();
  std::optional<WallTime> next;
  std::size_t count = 0;
  while (!stopping_) {
    const auto page = co_await core_.deps.journal.UnnamedSessions(kPage);
    if (!page.ok()) {
      log::Warn("sessions without a key are not forgotten now",
                {{"status", StatusText(page.status())}});
      break;
    }
    const WallTime now = AgingNow();
    std::vector<SessionId> due;
    for (const journal::SessionUse& use : *page) {
      if (use.used_at + keep > now) {
        next = use.used_at + keep;
        break;
      }
      // One with a turn under way has a time of its own when that ends.
      if (!InUse(use.session)) due.push_back(use.session);
    }
    if (due.empty()) break;
    for (const SessionId& session : due) sessions_.Evict(session);
    const absl::Status deleted = co_await core_.deps.journal.DeleteSessions(due);
    if (!deleted.ok()) {
      log::Warn("sessions without a key are not forgotten now", {{"status", StatusText(deleted)}});
      break;
    }
    count += due.size();
  }
  if (count > 0) log::Info("sessions without a key forgotten", {{"count", count}});
  forget_armed_ = false;
  if (next) ForgetUnnamedIn(*next - AgingNow());
}

}  // namespace talon::agent
