// SPDX-License-Identifier: Apache-2.0
#include "journal/row_reader.h"

#include <chrono>
#include <cstddef>

#include "base/label.h"
#include "base/status.h"
#include "journal/names.h"

namespace talon::journal {
namespace {

using store::Row;

// Four columns from `first`.
Principal PrincipalAt(const Row& row, std::size_t first) {
  return {.tenant = row.Text(first),
          .user = row.Text(first + 1),
          .agent = row.Text(first + 2),
          .origin = row.Text(first + 3)};
}

// Two columns from `first`. A number outside the scale is the least trusted.
Label LabelAt(const Row& row, std::size_t first) {
  const std::int64_t number = row.Int(first);
  const bool known = number >= 0 && number <= static_cast<std::int64_t>(Integrity::kUntrusted);
  return MakeLabel(known ? static_cast<Integrity>(number) : Integrity::kUntrusted,
                   row.Text(first + 1));
}

WallTime TimeAt(const Row& row, std::size_t column) {
  return WallTime(std::chrono::microseconds(row.Int(column)));
}

}  // namespace

absl::StatusOr<TurnRecord> ReadTurn(const Row& row) {
  TurnRecord turn;
  turn.id = TurnId(row.Text(0));
  turn.session = SessionId(row.Text(1));
  turn.event = EventId(row.Text(2));
  turn.principal = PrincipalAt(row, 3);
  TALON_ASSIGN_OR_RETURN(turn.state, ParseTurnState(row.Text(7)));
  turn.payload = row.Text(8);
  turn.answer = row.Text(9);
  turn.error = row.Text(10);
  turn.started_at = TimeAt(row, 11);
  turn.finished_at = TimeAt(row, 12);
  return turn;
}

absl::StatusOr<StepRecord> ReadStep(const Row& row, const TurnId& turn) {
  StepRecord step;
  step.turn = turn;
  step.seq = row.Int(0);
  TALON_ASSIGN_OR_RETURN(step.kind, ParseStepKind(row.Text(1)));
  step.data = row.Text(2);
  step.label = LabelAt(row, 3);
  step.at = TimeAt(row, 5);
  return step;
}

absl::StatusOr<EffectRecord> ReadEffect(const Row& row, const TurnId& turn) {
  EffectRecord effect;
  effect.turn = turn;
  effect.key = row.Text(0);
  effect.call_id = row.Text(1);
  effect.tool = row.Text(2);
  effect.effect_class = row.Text(3);
  TALON_ASSIGN_OR_RETURN(effect.state, ParseEffectState(row.Text(4)));
  effect.result = row.Text(5);
  effect.principal = PrincipalAt(row, 6);
  effect.label = LabelAt(row, 10);
  return effect;
}

SessionRecord ReadSession(const Row& row) {
  SessionRecord session;
  session.id = SessionId(row.Text(0));
  session.key = row.Text(1);
  session.principal = PrincipalAt(row, 2);
  session.title = row.Text(6);
  session.model = row.Text(7);
  session.settings = row.Text(8);
  session.created_at = TimeAt(row, 9);
  session.updated_at = TimeAt(row, 10);
  session.message_count = row.Int(11);
  return session;
}

MessageRecord ReadMessage(const Row& row, const SessionId& session) {
  MessageRecord message;
  message.session = session;
  message.seq = row.Int(0);
  message.turn = TurnId(row.Text(1));
  message.role = row.Text(2);
  message.content = row.Text(3);
  message.label = LabelAt(row, 4);
  message.principal = PrincipalAt(row, 6);
  message.created_at = TimeAt(row, 10);
  return message;
}

OutboxRecord ReadOutbox(const Row& row) {
  OutboxRecord outbox;
  outbox.id = OutboxId(row.Text(0));
  outbox.turn = TurnId(row.Text(1));
  outbox.session = SessionId(row.Text(2));
  outbox.target = row.Text(3);
  outbox.dedupe_key = row.Text(4);
  outbox.payload = row.Text(5);
  outbox.attempts = row.Int(6);
  outbox.principal = PrincipalAt(row, 7);
  outbox.label = LabelAt(row, 11);
  return outbox;
}

absl::StatusOr<ApprovalRecord> ReadApproval(const Row& row) {
  ApprovalRecord approval;
  approval.id = row.Text(0);
  approval.turn = TurnId(row.Text(1));
  approval.session = SessionId(row.Text(2));
  approval.call_id = row.Text(3);
  approval.tool = row.Text(4);
  approval.arguments = row.Text(5);
  approval.digest = row.Text(6);
  approval.judgement = row.Text(7);
  approval.reason = row.Text(8);
  approval.factor = row.Text(9);
  approval.code_hash = row.Text(10);
  approval.tries = row.Int(11);
  TALON_ASSIGN_OR_RETURN(approval.state, ParseApprovalState(row.Text(12)));
  approval.answered_by = row.Text(13);
  approval.created_at = TimeAt(row, 14);
  approval.expires_at = TimeAt(row, 15);
  approval.answered_at = TimeAt(row, 16);
  approval.principal = PrincipalAt(row, 17);
  approval.label = LabelAt(row, 21);
  return approval;
}

GrantRecord ReadGrant(const Row& row) {
  GrantRecord grant;
  grant.id = row.Text(0);
  grant.principal = {
      .tenant = row.Text(1), .user = row.Text(2), .agent = row.Text(3), .origin = ""};
  grant.tool = row.Text(4);
  grant.arguments = row.Text(5);
  grant.expires_at = TimeAt(row, 6);
  grant.created_at = TimeAt(row, 7);
  grant.created_by = row.Text(8);
  return grant;
}

absl::StatusOr<TimerRecord> ReadTimer(const Row& row) {
  TimerRecord timer;
  timer.id = row.Text(0);
  timer.wake_at = TimeAt(row, 1);
  timer.kind = row.Text(2);
  timer.key = row.Text(3);
  timer.payload = row.Text(4);
  timer.principal = PrincipalAt(row, 5);
  timer.label = LabelAt(row, 9);
  return timer;
}

}  // namespace talon::journal
