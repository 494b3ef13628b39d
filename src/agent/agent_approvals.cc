// SPDX-License-Identifier: Apache-2.0
// Approvals and the policy, as the agent's callers see them.
#include <fmt/format.h>

#include "agent/agent_impl.h"
#include "agent/approvals.h"
#include "agent/origins.h"
#include "base/status.h"

namespace talon::agent {

io::Task<absl::StatusOr<journal::ApprovalRecord>> AgentImpl::AnswerApproval(
    ApprovalAnswer answer, const Principal* owner) {
  TALON_CO_ASSIGN_OR_RETURN(journal::ApprovalRecord record,
                            co_await core_.deps.journal.LoadApproval(answer.id));
  // As for one that does not exist: others' turns are nobody's business.
  if (owner != nullptr &&
      (record.principal.tenant != owner->tenant || record.principal.user != owner->user)) {
    co_return NotFound(fmt::format("no approval '{}'", answer.id));
  }
  const bool approves = answer.approve;
  TALON_CO_ASSIGN_OR_RETURN(
      record, co_await RecordApprovalAnswer(core_, std::move(record), std::move(answer)));
  if (const auto run = runs_.find(record.turn); run != runs_.end()) {
    const auto waits = run->second->approvals.find(record.id);
    if (waits != run->second->approvals.end()) waits->second->Set(record.state);
  }
  if (approves && record.state == journal::ApprovalState::kDenied) {
    co_return PermissionDenied("wrong code, and no tries are left: the call is denied");
  }
  co_return record;
}

io::Task<absl::StatusOr<guard::CheckedCall>> AgentImpl::JudgeCall(Principal principal,
                                                                  std::string session_key,
                                                                  std::string message,
                                                                  model::ToolCall call) {
  Session scratch;
  if (!session_key.empty()) {
    TALON_CO_ASSIGN_OR_RETURN(Session * session, co_await sessions_.Open(principal, session_key));
    // One that was only asked about is not kept.
    if (!session->persisted && session->idle()) session->stale = true;
    scratch.record = session->record;
    scratch.history = session->history;
    scratch.label = session->label;
    scratch.last_seq = session->last_seq;
  }
  TurnRun run;
  run.turn = NewTurnId(core_.deps.ids);
  if (!message.empty()) {
    scratch.Add({run.turn, scratch.last_seq + 1,
                 model::TextMessage(model::Role::kUser, std::move(message), Integrity::kUser)});
  } else if (!scratch.history.empty()) {
    run.turn = scratch.history.back().turn;  // as in its last turn
  }
  co_return core_.deps.guard.ExplainCall(
      {.tool = call.name,
       .arguments = call.arguments,
       .principal = std::move(principal),
       .context = scratch.label,
       .from_user = false,
       .provenance = [&]() -> const guard::Provenance& { return OriginsOf(core_, scratch, run); }});
}

}  // namespace talon::agent
