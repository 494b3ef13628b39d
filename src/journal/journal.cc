// SPDX-License-Identifier: Apache-2.0
#include "journal/journal.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "journal/entry_writer.h"
#include "journal/row_reader.h"
#include "store/store.h"

namespace talon::journal {
namespace {

using store::Batch;
using store::Rows;
using store::Value;

template <class Record, class Read>
absl::StatusOr<std::vector<Record>> ReadAll(const absl::StatusOr<Rows>& rows, Read read) {
  if (!rows.ok()) return Annotate(rows.status(), "journal");
  std::vector<Record> records;
  records.reserve(rows->size());
  for (const store::Row& row : *rows) {
    absl::StatusOr<Record> record = read(row);
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  return records;
}

}  // namespace

Journal::Journal(store::Store& store, const Clock& clock, const JournalOptions& options)
    : store_(store),
      clock_(clock),
      keep_unnamed_(options.keep_unnamed),
      memory_(std::make_unique<WriteMemory>(options)) {}
Journal::~Journal() = default;

io::Task<absl::StatusOr<Accepted>> Journal::Accept(EventEnvelope event, TurnRecord turn,
                                                   Entry entry) {
  const Accepted accepted{event.id, turn.session, turn.id};
  const std::string source = event.source;
  const std::string key = event.dedupe_key;
  const std::string digest = event.payload_digest;
  const Principal principal = event.principal;

  EntryWriter writer(*memory_, clock_.Now());
  writer.AddSessions(std::exchange(entry.new_sessions, {}));
  writer.AddArrival(std::move(event), turn);
  TALON_CO_RETURN_IF_ERROR(writer.AddRecords(std::move(entry)));
  const absl::Status stored = co_await store_.Commit(writer.TakeBatch());
  if (stored.ok()) {
    writer.Remember();
    co_return accepted;
  }
  const absl::Status error =
      Annotate(stored, fmt::format("journal: accept event '{}'", accepted.event.str()));
  if (ReasonOf(stored) != ErrorReason::kDuplicate || key.empty()) co_return error;

  std::vector<Value> params{source, key, PrincipalNumber(principal)};
  const auto first = co_await store_.Read("find_first_arrival", std::move(params));
  if (!first.ok()) co_return first.status();
  if (first->empty()) co_return error;  // something else existed, such as the session's key
  const store::Row& row = first->front();
  if (row.Text(3) != digest) {
    co_return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kDuplicate,
                        fmt::format("journal: accept event: the key '{}' was used before for "
                                    "another request; use a new key",
                                    key));
  }
  co_return Accepted{EventId(row.Text(0)), SessionId(row.Text(2)), TurnId(row.Text(1)),
                     /*duplicate=*/true};
}

io::Task<absl::Status> Journal::Append(Entry entry) {
  EntryWriter writer(*memory_, clock_.Now());
  writer.AddSessions(std::exchange(entry.new_sessions, {}));
  TALON_CO_RETURN_IF_ERROR(writer.AddRecords(std::move(entry)));
  const absl::Status stored = co_await store_.Commit(writer.TakeBatch());
  if (!stored.ok()) co_return Annotate(stored, "journal: append");
  writer.Remember();
  co_return stored;
}

void Journal::AppendLater(Entry entry) {
  EntryWriter writer(*memory_, clock_.Now());
  writer.AddSessions(std::exchange(entry.new_sessions, {}));
  const absl::Status written = writer.AddRecords(std::move(entry));
  if (!written.ok()) {
    log::Error("a journal entry nobody waits for was refused", {{"error", Message(written)}});
    return;
  }
  store_.CommitLater(writer.TakeBatch());
}

io::Task<absl::StatusOr<UnfinishedPage>> Journal::UnfinishedTurns(std::int64_t after,
                                                                  std::int64_t limit) {
  std::vector<Value> params{after, limit};
  UnfinishedPage page;
  page.last = after;
  TALON_CO_ASSIGN_OR_RETURN(
      page.turns,
      ReadAll<TurnRecord>(co_await store_.Read("load_unfinished_turns", std::move(params)),
                          [&](const store::Row& row) {
                            page.last = row.Int(13);
                            return ReadTurn(row);
                          }));
  co_return page;
}

io::Task<absl::StatusOr<TurnRecord>> Journal::LoadTurn(TurnId turn) {
  std::vector<Value> params{turn.str()};
  const auto rows = co_await store_.Read("load_turn", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return NotFound(fmt::format("journal: no turn '{}'", turn.str()));
  co_return ReadTurn(rows->front());
}

io::Task<absl::StatusOr<std::vector<StepRecord>>> Journal::LoadSteps(TurnId turn) {
  std::vector<Value> params{turn.str()};
  co_return ReadAll<StepRecord>(co_await store_.Read("load_steps", std::move(params)),
                                [&](const store::Row& row) { return ReadStep(row, turn); });
}

io::Task<absl::StatusOr<std::vector<EffectRecord>>> Journal::LoadEffects(TurnId turn) {
  std::vector<Value> params{turn.str()};
  co_return ReadAll<EffectRecord>(co_await store_.Read("load_effects", std::move(params)),
                                  [&](const store::Row& row) { return ReadEffect(row, turn); });
}

io::Task<absl::StatusOr<std::optional<SessionRecord>>> Journal::FindSession(Principal principal,
                                                                            std::string key) {
  std::vector<Value> params{principal.tenant, principal.user, principal.agent, key};
  const auto rows = co_await store_.Read("find_session", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return std::optional<SessionRecord>();
  co_return std::optional<SessionRecord>(ReadSession(rows->front()));
}

io::Task<absl::StatusOr<SessionRecord>> Journal::LoadSession(SessionId session) {
  std::vector<Value> params{session.str()};
  const auto rows = co_await store_.Read("load_session", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return NotFound(fmt::format("journal: no session '{}'", session.str()));
  co_return ReadSession(rows->front());
}

io::Task<absl::StatusOr<std::vector<SessionRecord>>> Journal::ListSessions(Principal principal,
                                                                           std::int64_t limit,
                                                                           Sessions which) {
  const std::int64_t named_only = which == Sessions::kNamed ? 1 : 0;
  std::vector<Value> params{principal.tenant, principal.user, limit, named_only};
  co_return ReadAll<SessionRecord>(co_await store_.Read("list_sessions", std::move(params)),
                                   ReadSession);
}

io::Task<absl::StatusOr<std::vector<MessageRecord>>> Journal::LoadMessages(SessionId session,
                                                                           std::int64_t limit) {
  std::vector<Value> params{session.str(), limit};
  co_return ReadAll<MessageRecord>(
      co_await store_.Read("load_messages", std::move(params)),
      [&](const store::Row& row) { return ReadMessage(row, session); });
}

io::Task<absl::Status> Journal::UpdateSession(SessionRecord session) {
  const std::string attempt = fmt::format("journal: update session '{}'", session.id.str());
  EntryWriter writer(*memory_, clock_.Now());
  writer.AddUpdate(std::move(session));
  const absl::Status stored = co_await store_.Commit(writer.TakeBatch());
  if (ReasonOf(stored) == ErrorReason::kDuplicate)
    co_return NotFound(attempt + ": no such session");
  co_return stored.ok() ? stored : Annotate(stored, attempt);
}

io::Task<absl::Status> Journal::DeleteSession(SessionId session) {
  const std::string attempt = fmt::format("journal: delete session '{}'", session.str());
  const absl::Status stored = co_await Delete({std::move(session)}, /*expected=*/true);
  if (ReasonOf(stored) == ErrorReason::kDuplicate)
    co_return NotFound(attempt + ": no such session");
  co_return stored.ok() ? stored : Annotate(stored, attempt);
}

io::Task<absl::Status> Journal::DeleteSessions(std::vector<SessionId> sessions) {
  const absl::Status stored = co_await Delete(std::move(sessions), /*expected=*/false);
  co_return stored.ok() ? stored : Annotate(stored, "journal: delete sessions");
}

io::Task<absl::Status> Journal::Delete(std::vector<SessionId> sessions, bool expected) {
  Batch batch;
  for (const SessionId& session : sessions) {
    for (const std::string_view part :
         {"delete_session_steps", "delete_session_messages", "delete_session_events"}) {
      batch.push_back({part, {session.str()}, /*expect_change=*/false, /*many_rows=*/true});
    }
    batch.push_back({"delete_session", {session.str()}, expected});
  }
  batch.push_back({"delete_unused_prompts", {}, /*expect_change=*/false, /*many_rows=*/true});
  // What comes behind this must write its prompts anew.
  memory_->snapshots.clear();
  absl::Status stored = co_await store_.Commit(std::move(batch));
  memory_->snapshots.clear();
  co_return stored;
}

io::Task<absl::StatusOr<std::vector<SessionUse>>> Journal::UnnamedSessions(std::int64_t limit) {
  std::vector<Value> params{limit};
  co_return ReadAll<SessionUse>(
      co_await store_.Read("unnamed_sessions", std::move(params)), [](const store::Row& row) {
        return SessionUse{SessionId(row.Text(0)), WallTime(std::chrono::microseconds(row.Int(1)))};
      });
}

io::Task<absl::StatusOr<std::string>> Journal::ReadArtifact(SessionId session, ArtifactId artifact,
                                                            std::int64_t offset, std::int64_t limit,
                                                            std::int64_t* total) {
  const std::string attempt = fmt::format("journal: read artifact '{}'", artifact.str());
  if (offset < 0 || limit < 0) co_return InvalidArgument(attempt + ": offset or limit below 0");
  std::vector<Value> params{session.str(), artifact.str(), offset, limit};
  const auto rows = co_await store_.Read("read_artifact", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return NotFound(attempt + ": this session has none of that name");
  if (total != nullptr) *total = rows->front().Int(0);
  co_return rows->front().Text(1);
}

io::Task<absl::StatusOr<std::string>> Journal::LoadSnapshot(std::string hash) {
  std::vector<Value> params{hash};
  const auto rows = co_await store_.Read("load_snapshot", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return NotFound(fmt::format("journal: no prompt snapshot '{}'", hash));
  const store::Row& row = rows->front();
  co_return memory_->codec.Decode(row.Text(0), static_cast<std::size_t>(row.Int(1)), row.Text(2));
}

io::Task<absl::StatusOr<std::vector<OutboxRecord>>> Journal::PendingOutbox(std::string target) {
  std::vector<Value> params{target};
  co_return ReadAll<OutboxRecord>(co_await store_.Read("load_pending_outbox", std::move(params)),
                                  ReadOutbox);
}

io::Task<absl::StatusOr<bool>> Journal::CountDelivery(TurnId turn, std::int64_t most) {
  Batch count;
  count.push_back({"count_delivery", {turn.str(), most}, /*expect_change=*/true});
  absl::Status counted = co_await store_.Commit(std::move(count));
  if (counted.ok()) co_return true;
  if (ReasonOf(counted) != ErrorReason::kDuplicate) co_return counted;
  Batch bury;
  bury.push_back({"bury_delivery", {turn.str()}});
  TALON_CO_RETURN_IF_ERROR(co_await store_.Commit(std::move(bury)));
  co_return false;
}

void Journal::MarkDelivered(TurnId turn) {
  Batch batch;
  batch.push_back({"mark_delivered", {turn.str()}});
  store_.CommitLater(std::move(batch));
}

io::Task<absl::Status> Journal::PutTimer(TimerRecord timer) {
  const std::string attempt = fmt::format("journal: put timer '{}'", timer.id);
  EntryWriter writer(*memory_, clock_.Now());
  writer.AddTimer(std::move(timer));
  const absl::Status stored = co_await store_.Commit(writer.TakeBatch());
  if (!stored.ok()) co_return Annotate(stored, attempt);
  writer.Remember();
  co_return stored;
}

io::Task<absl::StatusOr<std::vector<TimerRecord>>> Journal::LoadTimers(std::string kind) {
  std::vector<Value> params{kind};
  co_return ReadAll<TimerRecord>(co_await store_.Read("load_timers", std::move(params)), ReadTimer);
}

}  // namespace talon::journal
