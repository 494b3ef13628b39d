// SPDX-License-Identifier: Apache-2.0
#include "agent/session.h"

#include <fmt/format.h>

#include "base/status.h"

namespace talon::agent {

CallContext ContextOf(const TurnRun& run) {
  return {.principal = run.principal,
          .deadline = run.deadline,
          .cancel = run.cancel.token(),
          .trace_id = run.turn.str()};
}

absl::Status Alive(const TurnRun& run, const Clock& clock) {
  if (run.cancel.token().cancelled()) return run.cancel.token().status();
  if (clock.SteadyNow() < run.deadline) return absl::OkStatus();
  return DeadlineExceeded("the turn ran longer than orchestrator.turn_timeout allows");
}

void Session::Add(StoredMessage stored) {
  last_seq = stored.seq;
  label = Join(label, stored.message.label);
  history.push_back(std::move(stored));
}

void Session::Trim(std::size_t limit) {
  if (history.size() <= limit) return;
  while (history.size() > limit) history.pop_front();
  origins = {};
}

}  // namespace talon::agent
