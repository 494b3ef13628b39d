// SPDX-License-Identifier: Apache-2.0
// The journal: every event, turn, step, message, effect and answer, on top of Store. A step is
// committed before its effect starts and before it is acknowledged to anyone. Owned by daemon/;
// event loop's thread. Errors are Store's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "io/task.h"
#include "journal/options.h"
#include "journal/records.h"

namespace talon::store {
class Store;
}

namespace talon::journal {

// One atomic piece of history.
struct Entry {
  std::vector<SessionRecord> new_sessions;
  std::vector<StepRecord> steps;
  std::vector<MessageRecord> messages;
  std::vector<EffectRecord> effects;  // inserted; when the key exists, state and result are updated
  std::vector<ArtifactRecord> artifacts;
  // Sent to the turn of the first step. Those already stored are skipped.
  std::vector<PromptSnapshot> snapshots;
  std::vector<OutboxRecord> outbox;
  std::vector<ApprovalRecord> approvals;  // new ones
  struct TurnEnd {
    TurnId turn;
    TurnState state;
    std::string answer;
    std::string error;
    // Frees the dedupe key of the turn's event, so that the same request is taken anew.
    bool release_key = false;
  };
  std::optional<TurnEnd> turn_end;
};

// What Accept found or made.
struct Accepted {
  EventId event;
  SessionId session;
  TurnId turn;
  bool duplicate = false;  // the event was known: these are the ids of its first arrival
};

struct UnfinishedPage {
  std::vector<TurnRecord> turns;
  std::int64_t last = 0;
};

struct SessionUse {
  SessionId session;
  WallTime used_at;
};

enum class Sessions { kAll, kNamed };

struct WriteMemory;

// Times that are not set in a record are the clock's.
class Journal {
 public:
  // `store` and `clock` must outlive this.
  Journal(store::Store& store, const Clock& clock, const JournalOptions& options = {});
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Makes the event durable together with its turn, its session (when `entry.new_sessions` has it)
  // and first messages. A known dedupe key makes nothing and returns the first arrival; one with
  // another payload_digest is InvalidArgument/kDuplicate. Concurrent duplicates: one wins.
  // AlreadyExists/kDuplicate when another id in it exists, or a session of the same key was made
  // meanwhile: FindSession() then has it.
  io::Task<absl::StatusOr<Accepted>> Accept(EventEnvelope event, TurnRecord turn, Entry entry);
  // Ends when durable.
  io::Task<absl::Status> Append(Entry entry);
  // Does not wait; for records nobody depends on (delivered marks).
  void AppendLater(Entry entry);

  // Oldest first, from behind `after`: 0, then `last` of the page before, until a page is empty.
  // Payloads may be large and stay where they are: LoadTurn() has them.
  io::Task<absl::StatusOr<UnfinishedPage>> UnfinishedTurns(std::int64_t after, std::int64_t limit);
  io::Task<absl::StatusOr<TurnRecord>> LoadTurn(TurnId turn);  // NotFound
  io::Task<absl::StatusOr<std::vector<StepRecord>>> LoadSteps(TurnId turn);
  io::Task<absl::StatusOr<std::vector<EffectRecord>>> LoadEffects(TurnId turn);

  io::Task<absl::StatusOr<std::optional<SessionRecord>>> FindSession(Principal principal,
                                                                     std::string key);
  io::Task<absl::StatusOr<SessionRecord>> LoadSession(SessionId session);  // NotFound
  // Newest first. Only those of the principal's tenant and user.
  io::Task<absl::StatusOr<std::vector<SessionRecord>>> ListSessions(
      Principal principal, std::int64_t limit, Sessions which = Sessions::kAll);
  // The last `limit` messages, oldest first.
  io::Task<absl::StatusOr<std::vector<MessageRecord>>> LoadMessages(SessionId session,
                                                                    std::int64_t limit);
  // Title, model and settings. NotFound.
  io::Task<absl::Status> UpdateSession(SessionRecord session);
  // With its events, turns, steps, messages, effects, artifacts, outbox, and the prompt snapshots
  // that no other turn was sent. NotFound.
  io::Task<absl::Status> DeleteSession(SessionId session);
  // The same of several at once; those that are not there are passed over.
  io::Task<absl::Status> DeleteSessions(std::vector<SessionId> sessions);
  // Those that nobody gave a key (their id stands for it), the longest unused first.
  io::Task<absl::StatusOr<std::vector<SessionUse>>> UnnamedSessions(std::int64_t limit);
  std::chrono::milliseconds keep_unnamed() const { return keep_unnamed_; }

  // `limit` bytes from `offset`; `*total` is the whole size. NotFound when it is not this
  // session's.
  io::Task<absl::StatusOr<std::string>> ReadArtifact(SessionId session, ArtifactId artifact,
                                                     std::int64_t offset, std::int64_t limit,
                                                     std::int64_t* total);
  io::Task<absl::StatusOr<std::string>> LoadSnapshot(std::string hash);

  io::Task<absl::StatusOr<std::vector<OutboxRecord>>> PendingOutbox(std::string target);
  // Counts a further try to bring the turn's answer out, before it is made. False when none of
  // `most` is left, or nothing of it is pending: then it is a dead letter.
  io::Task<absl::StatusOr<bool>> CountDelivery(TurnId turn, std::int64_t most);
  // The turn's answer is out. Does not wait.
  void MarkDelivered(TurnId turn);

  // State, tries, who and when. FailedPrecondition when it is not open (any more).
  io::Task<absl::Status> AnswerApproval(ApprovalRecord approval);
  io::Task<absl::StatusOr<ApprovalRecord>> LoadApproval(std::string id);  // NotFound
  io::Task<absl::StatusOr<std::vector<ApprovalRecord>>> LoadApprovals(TurnId turn);
  // Newest first. `owner`: only those of its tenant and user; null: everybody's.
  enum class Which { kOpen, kAll };
  io::Task<absl::StatusOr<std::vector<ApprovalRecord>>> ListApprovals(const Principal* owner,
                                                                      Which which,
                                                                      std::int64_t limit);
  io::Task<absl::Status> AddGrant(GrantRecord grant);
  io::Task<absl::Status> RemoveGrant(std::string id);  // NotFound
  io::Task<absl::StatusOr<std::vector<GrantRecord>>> ListGrants();

  // Durable when it ends; replaces the timer of the same id.
  io::Task<absl::Status> PutTimer(TimerRecord timer);
  // Earliest first.
  io::Task<absl::StatusOr<std::vector<TimerRecord>>> LoadTimers(std::string kind);

 private:
  io::Task<absl::Status> Delete(std::vector<SessionId> sessions, bool expected);

  store::Store& store_;
  const Clock& clock_;
  const std::chrono::milliseconds keep_unnamed_;
  const std::unique_ptr<WriteMemory> memory_;
};

}  // namespace talon::journal
