// SPDX-License-Identifier: Apache-2.0
// How a turn ends: TurnLoop::End and what is recorded then.
#include <fmt/format.h>

#include <utility>

#include "agent/turn_codec.h"
#include "agent/turn_loop.h"
#include "base/status.h"

namespace talon::agent {

void TurnLoop::AddAnswer(TurnOutcome& outcome) {
  answer_.text = fmt::format("{}", fmt::join(texts_, "\n\n"));
  answer_.rounds = round_;
  if (!answer_.client_calls.empty()) answer_.finish_reason = model::FinishReason::kToolCalls;
  outcome.answer = answer_;
  writer_.entry().turn_end = {run_.turn, journal::TurnState::kCompleted, EncodeAnswer(answer_), ""};
}

// Who asks again under the same key gets another try when nothing was done, else the error.
void TurnLoop::AddFailure(const absl::Status& status, TurnOutcome& outcome) {
  const bool cancelled = status.code() == absl::StatusCode::kCancelled;
  outcome.state = cancelled ? journal::TurnState::kCancelled : journal::TurnState::kFailed;
  writer_.entry().turn_end = {run_.turn, outcome.state, "", EncodeError(status),
                              /*release_key=*/!cancelled && !tool_round_.effects()};
}

// How it ended is told by whoever opens the way to where it came from.
void TurnLoop::AddReply(journal::Entry& entry) const {
  if (run_.input.reply_to.empty()) return;
  journal::OutboxRecord reply;
  reply.id = NewOutboxId(core_.deps.ids);
  reply.turn = run_.turn;
  reply.session = run_.session;
  reply.target = run_.principal.origin;
  reply.dedupe_key = run_.turn.str();
  reply.payload = run_.input.reply_to;
  reply.principal = run_.principal;
  reply.label = session_.label;
  entry.outbox.push_back(std::move(reply));
}

io::Task<TurnOutcome> TurnLoop::End(absl::Status status) {
  TurnOutcome outcome;
  outcome.turn = run_.turn;
  outcome.session = run_.session;
  outcome.error = status;
  if (run_.parked && !status.ok()) {
    outcome.state = journal::TurnState::kRunning;
    co_return outcome;
  }
  if (!writer_.store_failed()) {
    if (status.ok()) {
      AddAnswer(outcome);
    } else {
      AddFailure(status, outcome);
    }
    AddReply(writer_.entry());
    writer_.AddStep(journal::StepKind::kFinished,
                    fmt::format(R"({{"state":"{}"}})", journal::TurnStateName(outcome.state)));
    absl::Status stored = co_await writer_.Flush();
    if (stored.ok()) co_return outcome;
    outcome.answer = {};
    outcome.error = Annotate(stored, "the end of the turn could not be recorded");
  }
  co_await EndUnrecorded(outcome);
  co_return outcome;
}

// The turn resumes where the journal has it, unless what it writes would be refused again: then it
// ends, and only that is written.
io::Task<void> TurnLoop::EndUnrecorded(TurnOutcome& outcome) {
  outcome.state = journal::TurnState::kRunning;
  switch (outcome.error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      break;
    default:
      co_return;
  }
  co_await RecordFailure(outcome);
}

io::Task<void> TurnLoop::RecordFailure(TurnOutcome& outcome) {
  journal::Entry end;
  end.turn_end = {run_.turn, journal::TurnState::kFailed, "", EncodeError(outcome.error)};
  AddReply(end);
  unrecorded_ = !(co_await core_.deps.journal.Append(std::move(end))).ok();
  if (unrecorded_) co_return;
  outcome.state = journal::TurnState::kFailed;
  session_.stale = true;
}

io::Task<TurnOutcome> TurnLoop::Abandon(absl::Status why) {
  TurnOutcome outcome;
  outcome.turn = run_.turn;
  outcome.session = run_.session;
  outcome.error = std::move(why);
  outcome.state = journal::TurnState::kRunning;
  writer_.SetStoreFailed();  // the session in memory is ahead of it, by nobody knows what
  co_await RecordFailure(outcome);
  co_return outcome;
}

}  // namespace talon::agent
