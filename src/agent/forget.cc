// SPDX-License-Identifier: Apache-2.0
// Sessions that nobody gave a key are forgotten some time after their last turn. The journal knows
// when each was used; one timer is armed for the longest unused.
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

void AgentImpl::ForgetUnnamedAt(WallTime due) {
  const auto keep = core_.deps.journal.keep_unnamed();
  if (stopping_ || keep.count() == 0 || std::exchange(forget_armed_, true)) return;
  const auto wait = std::max<WallTime::duration>(due - core_.deps.clock.Now(), {}) + keep / kSlack;
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
    const WallTime now = core_.deps.clock.Now();
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
  if (next) ForgetUnnamedAt(*next);
}

}  // namespace talon::agent
