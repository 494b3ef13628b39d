// SPDX-License-Identifier: Apache-2.0
// How a turn comes in: AgentImpl::Submit and what belongs to it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "agent/advice.h"
#include "agent/agent_impl.h"
#include "agent/screening.h"
#include "agent/turn_codec.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::agent {
namespace {

absl::Status Stopping() {
  return Unavailable("the daemon is stopping; try again in a moment");
}

// A result must answer a call, in what arrives with it or in the session.
absl::Status CheckResults(const Session& session, const TurnInput& input) {
  if (session.stale) return absl::OkStatus();  // what it holds is not in memory
  std::set<std::string> calls;
  const auto note = [&](const model::Message& message) {
    for (model::ToolCall& call : model::ToolCallsOf(message)) calls.insert(std::move(call.id));
  };
  for (const StoredMessage& stored : session.history) note(stored.message);
  for (const model::Message& message : input.messages) {
    note(message);
    for (const model::Part& part : message.parts) {
      const auto* result = std::get_if<model::ToolResult>(&part);
      if (result == nullptr || calls.contains(result->call_id)) continue;
      return InvalidArgument(
          fmt::format("messages: the tool result for '{}' belongs to no tool call of session '{}'",
                      TruncateUtf8(result->call_id, 100), session.record.key));
    }
  }
  return absl::OkStatus();
}

bool HasResults(const TurnInput& input) {
  return std::ranges::any_of(input.messages, [](const model::Message& message) {
    return message.role == model::Role::kTool;
  });
}

}  // namespace

absl::Status AgentImpl::CheckArrival(const journal::EventEnvelope& event,
                                     const TurnInput& input) const {
  if (input.messages.empty()) {
    return InvalidArgument(
        "a turn needs at least one message; in a session only what follows the last answer is new");
  }
  if (input.messages.size() > core_.options.max_input_messages) {
    return InvalidArgument(
        fmt::format("{} messages in one request; at most {} are taken "
                    "(orchestrator.max_input_messages)",
                    input.messages.size(), core_.options.max_input_messages));
  }
  for (const auto& [what, key] : {std::pair("session key", &event.session_key),
                                  std::pair("idempotency key", &event.dedupe_key)}) {
    if (key->size() > core_.options.max_key_bytes) {
      return InvalidArgument(
          fmt::format("{} of {} bytes; at most {} are taken (orchestrator.max_key_bytes)", what,
                      key->size(), core_.options.max_key_bytes));
    }
    if (!IsValidUtf8(*key)) return InvalidArgument(fmt::format("{}: invalid UTF-8", what));
  }
  if (input.model.empty()) return absl::OkStatus();
  return core_.deps.router.Resolve(input.model).status();
}

// The event's session, once nobody else is making it.
io::Task<absl::StatusOr<Pin>> AgentImpl::OpenSession(const journal::EventEnvelope& event) {
  co_await Recovered();
  if (stopping_) co_return Stopping();
  auto opened = co_await sessions_.Open(event.principal, event.session_key);
  TALON_CO_RETURN_IF_ERROR(opened.status());
  Pin session(**opened);
  while ((*session).creating) {
    auto created = std::make_shared<io::OneShot<bool>>();
    (*session).until_created.push_back(created);
    co_await created->Wait();
  }
  if (stopping_) co_return Stopping();
  co_return session;
}

bool AgentImpl::MustWait(const Session& session) const {
  return session.running != nullptr || !session.waiting.empty() || session.arriving > 0 ||
         session.stale || !HasSlot();
}

io::Task<absl::StatusOr<journal::Accepted>> AgentImpl::Submit(journal::EventEnvelope event,
                                                              TurnInput input,
                                                              TurnObserver* observer) {
  TALON_CO_RETURN_IF_ERROR(CheckArrival(event, input));
  auto opened = co_await OpenSession(event);
  TALON_CO_RETURN_IF_ERROR(opened.status());
  std::optional<Pin> pin = *std::move(opened);
  Session& session = **pin;
  if (HasResults(input)) TALON_CO_RETURN_IF_ERROR(CheckResults(session, input));
  TakeUpStranded(session);
  StartNext(session);
  const bool waits = MustWait(session);
  if (waits && session.waiting.size() + session.arriving >= core_.options.max_queued_turns) {
    co_return ResourceExhausted(
        fmt::format("session '{}' already has {} turns waiting (orchestrator.max_queued_turns)",
                    session.record.key, session.waiting.size() + session.arriving));
  }
  Arrival arrival;
  arrival.run = std::make_shared<TurnRun>();
  TurnRun& run = *arrival.run;
  run.turn = NewTurnId(core_.deps.ids);
  run.event = event.id = NewEventId(core_.deps.ids);
  run.session = session.record.id;
  run.principal = event.principal;
  run.input = std::move(input);
  // Who hands a message on cannot vouch for more than for the event.
  for (model::Message& message : run.input.messages) {
    message.label = Join(message.label, event.label);
  }
  event.received_at = core_.deps.clock.Now();
  event.payload = EncodeInput(run.input);
  arrival.event = std::move(event);
  if (!waits) {
    arrival.loop = std::make_unique<TurnLoop>(core_, session, run);
    // What hooks and the firewall have to look at first cannot go with the event.
    if (!IsAdvised(core_, hook::Joinpoint::kInputReceived) && !IsScreened(core_, run)) {
      TALON_CO_RETURN_IF_ERROR(arrival.loop->Prepare());
    }
  }
  auto accepted = co_await Store(session, std::move(arrival), observer);
  if (!session.persisted) {
    const SessionId unused = session.record.id;
    pin.reset();
    sessions_.Evict(unused);
  }
  co_return accepted;
}

// A turn that starts at once has its first records in the event's commit.
io::Task<absl::StatusOr<journal::Accepted>> AgentImpl::Store(Session& session, Arrival arrival,
                                                             TurnObserver* observer) {
  journal::TurnRecord turn;
  turn.id = arrival.run->turn;
  turn.session = arrival.run->session;
  turn.event = arrival.run->event;
  turn.principal = arrival.run->principal;
  turn.started_at = arrival.event.received_at;
  journal::Entry entry;
  if (arrival.loop != nullptr) {
    entry = arrival.loop->TakeEntry();
    Occupy(session, arrival.run);
  } else {
    ++session.arriving;
  }
  const bool creates = !session.persisted;
  if (creates) {
    session.creating = true;
    entry.new_sessions.push_back(session.record);
  }
  auto accepted = co_await core_.deps.journal.Accept(std::move(arrival.event), std::move(turn),
                                                     std::move(entry));
  const bool stored = accepted.ok() && !accepted->duplicate;
  if (arrival.loop == nullptr) --session.arriving;
  if (creates) {
    session.persisted = stored;
    session.creating = false;
    for (auto& waiter : std::exchange(session.until_created, {})) waiter->Set(true);
  }
  if (!stored || stopping_) {
    Undo(session, arrival);
    if (stored) co_return Unavailable("the daemon is stopping; the turn runs at its next start");
    if (accepted.ok()) {
      // The first arrival may be stranded in another session.
      if (Session* first = sessions_.Find(accepted->session)) {
        TakeUpStranded(*first);
        StartNext(*first);
      }
    } else if (absl::IsAlreadyExists(accepted.status())) {
      session.stale = true;
      co_return MakeError(
          absl::StatusCode::kAborted, ErrorReason::kNone,
          fmt::format("session '{}' was changed meanwhile; try again", session.record.key));
    }
    co_return accepted;
  }
  if (observer != nullptr) arrival.run->observers.push_back(observer);
  runs_[arrival.run->turn] = arrival.run;
  if (arrival.loop != nullptr) {
    nursery_.Spawn(Drive(&session, arrival.run, std::move(arrival.loop)));
  } else {
    session.waiting.push_back(arrival.run);
    TakeUpStranded(session);
    StartNext(session);
  }
  co_return accepted;
}

void AgentImpl::Undo(Session& session, Arrival& arrival) {
  if (stopping_) session.stale = true;
  if (arrival.loop == nullptr) return;
  arrival.loop->Revert();
  arrival.loop.reset();
  Release(session);
}

}  // namespace talon::agent
