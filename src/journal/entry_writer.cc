// SPDX-License-Identifier: Apache-2.0
#include "journal/entry_writer.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/label.h"
#include "base/status.h"
#include "journal/names.h"

namespace talon::journal {
namespace {

using store::Blob;
using store::Value;

std::string Text(std::string_view text) {
  return std::string(text);
}
std::int64_t Integer(Integrity integrity) {
  return static_cast<std::int64_t>(integrity);
}
Value TextOrNull(std::string text) {
  if (text.empty()) return std::monostate();
  return text;
}

// A braced list would copy every string; this moves them.
template <class... T>
std::vector<Value> Params(T&&... values) {
  std::vector<Value> params;
  params.reserve(sizeof...(values));
  (params.emplace_back(std::forward<T>(values)), ...);
  return params;
}

}  // namespace

std::int64_t PrincipalNumber(const Principal& principal) {
  std::string text;
  for (const std::string* part :
       {&principal.tenant, &principal.user, &principal.agent, &principal.origin}) {
    text += std::to_string(part->size()) + ":" + *part;
  }
  const std::string digest = Sha256Hex(text);
  std::uint64_t number = 0;
  std::from_chars(digest.data(), digest.data() + 16, number, 16);
  return static_cast<std::int64_t>(number >> 1);
}

WriteMemory::WriteMemory(const JournalOptions& options)
    : max_principals(options.known_principals),
      max_snapshots(options.known_snapshots),
      codec(options.compress_from.value, options.max_snapshot.value) {}

std::int64_t EntryWriter::Number(const Principal& principal) {
  if (memory_.last_number == 0 || principal != memory_.last_principal) {
    memory_.last_principal = principal;
    memory_.last_number = PrincipalNumber(principal);
  }
  const std::int64_t number = memory_.last_number;
  if (!memory_.principals.contains(number) &&
      std::ranges::find(new_principals_, number) == new_principals_.end()) {
    batch_.push_back(
        {"insert_principal",
         Params(number, principal.tenant, principal.user, principal.agent, principal.origin),
         /*expect_change=*/true});
    new_principals_.push_back(number);
  }
  return number;
}

std::int64_t EntryWriter::TimeOr(WallTime time) const {
  return (time == WallTime() ? now_ : time).time_since_epoch().count();
}

void EntryWriter::AddArrival(EventEnvelope event, const TurnRecord& turn) {
  const std::int64_t event_principal = Number(event.principal);
  const std::int64_t turn_principal = Number(turn.principal);
  const std::int64_t integrity = Integer(event.label.integrity);
  const std::string readers = ReadersToText(event.label);
  batch_.push_back(
      {"insert_event",
       Params(event.id.str(), std::move(event.source), TextOrNull(std::move(event.dedupe_key)),
              std::move(event.payload_digest), event_principal, integrity, readers,
              std::move(event.session_key), Text(PriorityName(event.priority)),
              std::move(event.payload), TimeOr(event.received_at)),
       /*expect_change=*/true});
  batch_.push_back({"insert_turn",
                    Params(turn.id.str(), turn.session.str(), turn_principal, integrity, readers,
                           Text(TurnStateName(turn.state)), TimeOr(turn.started_at)),
                    /*expect_change=*/true});
}

void EntryWriter::AddSessions(std::vector<SessionRecord> sessions) {
  for (SessionRecord& session : sessions) {
    Principal& principal = session.principal;
    batch_.push_back(
        {"insert_session",
         Params(session.id.str(), std::move(session.key), std::move(principal.tenant),
                std::move(principal.user), std::move(principal.agent), std::move(principal.origin),
                std::move(session.title), std::move(session.model), std::move(session.settings),
                TimeOr(session.created_at), TimeOr(session.updated_at)),
         /*expect_change=*/true});
  }
}

void EntryWriter::AddUpdate(SessionRecord session) {
  batch_.push_back({"update_session",
                    Params(session.id.str(), std::move(session.title), std::move(session.model),
                           std::move(session.settings), now_.time_since_epoch().count()),
                    /*expect_change=*/true});
}

void EntryWriter::AddTimer(TimerRecord timer) {
  const std::int64_t principal = Number(timer.principal);
  batch_.push_back({"upsert_timer",
                    Params(std::move(timer.id), timer.wake_at.time_since_epoch().count(),
                           std::move(timer.kind), std::move(timer.key), std::move(timer.payload),
                           principal, Integer(timer.label.integrity), ReadersToText(timer.label)),
                    /*expect_change=*/true});
}

absl::Status EntryWriter::AddRecords(Entry entry) {
  // A snapshot belongs to the turn and has the label of the step that sends it.
  const std::string turn = entry.steps.empty() ? "" : entry.steps.front().turn.str();
  const Label label = entry.steps.empty() ? Label() : entry.steps.front().label;
  for (MessageRecord& message : entry.messages) AddMessage(std::move(message));
  for (StepRecord& step : entry.steps) AddStep(std::move(step));
  for (EffectRecord& effect : entry.effects) AddEffect(std::move(effect));
  for (ArtifactRecord& artifact : entry.artifacts) AddArtifact(std::move(artifact));
  for (PromptSnapshot& snapshot : entry.snapshots) {
    TALON_RETURN_IF_ERROR(AddSnapshot(std::move(snapshot), turn, label));
  }
  for (OutboxRecord& outbox : entry.outbox) AddOutbox(std::move(outbox));
  for (ApprovalRecord& approval : entry.approvals) AddApproval(std::move(approval));
  if (entry.turn_end.has_value()) {
    Entry::TurnEnd& end = *entry.turn_end;
    batch_.push_back({"finish_turn",
                      Params(end.turn.str(), Text(TurnStateName(end.state)), std::move(end.answer),
                             std::move(end.error), now_.time_since_epoch().count()),
                      /*expect_change=*/true});
    if (end.release_key) {
      batch_.push_back({"release_dedupe_key", Params(end.turn.str()), /*expect_change=*/true});
    }
  }
  return absl::OkStatus();
}

void EntryWriter::AddMessage(MessageRecord message) {
  const std::int64_t principal = Number(message.principal);
  batch_.push_back({"insert_message",
                    Params(message.session.str(), message.seq, TextOrNull(message.turn.str()),
                           std::move(message.role), std::move(message.content), principal,
                           Integer(message.label.integrity), ReadersToText(message.label),
                           TimeOr(message.created_at)),
                    /*expect_change=*/true});
}

void EntryWriter::AddStep(StepRecord step) {
  batch_.push_back(
      {"insert_step",
       Params(step.turn.str(), step.seq, Text(StepKindName(step.kind)), std::move(step.data),
              Integer(step.label.integrity), ReadersToText(step.label), TimeOr(step.at)),
       /*expect_change=*/true});
}

void EntryWriter::AddEffect(EffectRecord effect) {
  const std::int64_t principal = Number(effect.principal);
  batch_.push_back({"upsert_effect",
                    Params(effect.turn.str(), std::move(effect.key), std::move(effect.call_id),
                           std::move(effect.tool), std::move(effect.effect_class),
                           Text(EffectStateName(effect.state)), std::move(effect.result), principal,
                           Integer(effect.label.integrity), ReadersToText(effect.label)),
                    /*expect_change=*/true});
}

void EntryWriter::AddArtifact(ArtifactRecord artifact) {
  const std::int64_t principal = Number(artifact.principal);
  batch_.push_back(
      {"insert_artifact",
       Params(artifact.session.str(), artifact.id.str(), TextOrNull(artifact.turn.str()),
              std::move(artifact.media_type), Blob{std::move(artifact.content)}, principal,
              Integer(artifact.label.integrity), ReadersToText(artifact.label)),
       /*expect_change=*/!artifact.once});
}

absl::Status EntryWriter::AddSnapshot(PromptSnapshot snapshot, const std::string& turn,
                                      const Label& label) {
  const std::string hash = snapshot.hash;
  if (!memory_.snapshots.contains(hash)) {
    TALON_RETURN_IF_ERROR(AddContent(std::move(snapshot), turn, label));
  }
  if (!turn.empty()) batch_.push_back({"insert_prompt_use", Params(turn, hash)});
  return absl::OkStatus();
}

absl::Status EntryWriter::AddContent(PromptSnapshot snapshot, const std::string& turn,
                                     const Label& label) {
  const auto size = static_cast<std::int64_t>(snapshot.content.size());
  TALON_ASSIGN_OR_RETURN(EncodedSnapshot encoded,
                         memory_.codec.Encode(std::move(snapshot.content)));
  new_snapshots_.push_back(snapshot.hash);
  batch_.push_back(
      {"insert_snapshot",
       Params(std::move(snapshot.hash), Text(encoded.codec), size, Blob{std::move(encoded.bytes)},
              turn, Integer(label.integrity), ReadersToText(label)),
       /*expect_change=*/false});
  return absl::OkStatus();
}

void EntryWriter::AddOutbox(OutboxRecord outbox) {
  const std::int64_t principal = Number(outbox.principal);
  batch_.push_back({"insert_outbox",
                    Params(outbox.turn.str(), std::move(outbox.target),
                           std::move(outbox.dedupe_key), outbox.id.str(), std::move(outbox.payload),
                           Text(OutboxStateName(outbox.state)), outbox.attempts, principal,
                           Integer(outbox.label.integrity), ReadersToText(outbox.label)),
                    /*expect_change=*/true});
}

void EntryWriter::AddApproval(ApprovalRecord approval) {
  const std::int64_t principal = Number(approval.principal);
  batch_.push_back(
      {"insert_approval",
       Params(approval.turn.str(), std::move(approval.id), std::move(approval.call_id),
              std::move(approval.tool), std::move(approval.arguments), std::move(approval.digest),
              std::move(approval.judgement), std::move(approval.reason), std::move(approval.factor),
              std::move(approval.code_hash), Text(ApprovalStateName(approval.state)),
              TimeOr(approval.created_at), TimeOr(approval.expires_at), principal,
              Integer(approval.label.integrity), ReadersToText(approval.label)),
       /*expect_change=*/true});
}

void EntryWriter::Remember() {
  if (memory_.principals.size() + new_principals_.size() > memory_.max_principals) {
    memory_.principals.clear();
  }
  memory_.principals.insert(new_principals_.begin(), new_principals_.end());
  if (memory_.snapshots.size() + new_snapshots_.size() > memory_.max_snapshots) {
    memory_.snapshots.clear();
  }
  memory_.snapshots.insert(new_snapshots_.begin(), new_snapshots_.end());
}

}  // namespace talon::journal
