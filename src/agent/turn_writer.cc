// SPDX-License-Identifier: Apache-2.0
#include "agent/turn_writer.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

bool IsEmpty(const journal::Entry& entry) {
  return entry.new_sessions.empty() && entry.steps.empty() && entry.messages.empty() &&
         entry.effects.empty() && entry.artifacts.empty() && entry.snapshots.empty() &&
         entry.outbox.empty() && !entry.turn_end;
}

}  // namespace

void TurnWriter::AddStep(journal::StepKind kind, std::string data) {
  journal::StepRecord step;
  step.turn = run_.turn;
  step.seq = ++run_.step_seq;
  step.kind = kind;
  step.data = std::move(data);
  step.label = session_.label;
  step.at = StepTime();
  entry_.steps.push_back(std::move(step));
}

WallTime TurnWriter::StepTime() {
  const SteadyTime now = core_.deps.clock.SteadyNow();
  if (!first_step_) first_step_.emplace(core_.deps.clock.Now(), now);
  return first_step_->first + std::chrono::floor<WallTime::duration>(now - first_step_->second);
}

void TurnWriter::AddMessage(model::Message message) {
  journal::MessageRecord record;
  record.session = session_.record.id;
  record.seq = session_.last_seq + 1;
  record.turn = run_.turn;
  record.role = model::RoleName(message.role);
  record.content = model::EncodeMessage(message);
  record.label = message.label;
  record.principal = run_.principal;
  record.created_at = core_.deps.clock.Now();
  session_.Add({run_.turn, record.seq, std::move(message)});
  entry_.messages.push_back(std::move(record));
}

void TurnWriter::AddApproval(journal::ApprovalRecord approval) {
  approval.label = session_.label;
  AddStep(journal::StepKind::kApprovalAsked, DumpJson({{"approval", approval.id},
                                                       {"call_id", approval.call_id},
                                                       {"tool", approval.tool},
                                                       {"factor", approval.factor},
                                                       {"reason", approval.reason}}));
  entry_.approvals.push_back(std::move(approval));
}

io::Task<absl::Status> TurnWriter::Flush() {
  if (IsEmpty(entry_)) co_return absl::OkStatus();
  const auto to_show = std::exchange(to_show_, {});
  absl::Status status = co_await core_.deps.journal.Append(TakeEntry());
  if (!status.ok()) {
    store_failed_ = true;
    co_return status;
  }
  for (const auto& [what, activity] : to_show) {
    for (TurnObserver* observer : run_.observers) {
      what == Shown::kStart ? observer->OnToolStart(activity) : observer->OnToolResult(activity);
    }
  }
  co_return status;
}

void TurnWriter::Revert(std::size_t messages, Label label) {
  for (; messages > 0 && !session_.history.empty(); --messages) {
    session_.history.pop_back();
    --session_.last_seq;
  }
  session_.label = std::move(label);
  session_.origins = {};
  entry_ = {};
}

}  // namespace talon::agent
