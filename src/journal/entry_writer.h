// SPDX-License-Identifier: Apache-2.0
// Turns an Entry into the statements of one batch. Used for one batch, then dropped. Event loop's
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/principal.h"
#include "journal/journal.h"
#include "journal/options.h"
#include "journal/snapshot_codec.h"
#include "store/store.h"

namespace talon::journal {

// The number a principal is stored under: the first 63 bits of a digest. Two principals with one
// number cannot both be stored; insert_principal refuses the second.
std::int64_t PrincipalNumber(const Principal& principal);

// What is known to be stored, so that it is not written again, and the codec. One a journal.
struct WriteMemory {
  explicit WriteMemory(const JournalOptions& options);
  const std::uint32_t max_principals;
  const std::uint32_t max_snapshots;
  std::unordered_set<std::int64_t> principals;
  std::unordered_set<std::string> snapshots;
  // The principal asked for last, and its number; most records of a while are of one.
  Principal last_principal;
  std::int64_t last_number = 0;  // 0 = none yet
  SnapshotCodec codec;
};

class EntryWriter {
 public:
  // `now` stands for every time that is not set. `memory` must outlive this.
  EntryWriter(WriteMemory& memory, WallTime now) : memory_(memory), now_(now) {}

  // An event and its turn, after the sessions they may refer to.
  void AddArrival(EventEnvelope event, const TurnRecord& turn);
  void AddSessions(std::vector<SessionRecord> sessions);
  // Everything but the sessions.
  absl::Status AddRecords(Entry entry);
  void AddUpdate(SessionRecord session);
  void AddTimer(TimerRecord timer);

  store::Batch TakeBatch() { return std::move(batch_); }
  // To be called once the batch is stored.
  void Remember();

 private:
  std::int64_t Number(const Principal& principal);
  std::int64_t TimeOr(WallTime time) const;
  void AddMessage(MessageRecord message);
  void AddStep(StepRecord step);
  void AddEffect(EffectRecord effect);
  void AddArtifact(ArtifactRecord artifact);
  absl::Status AddSnapshot(PromptSnapshot snapshot, const std::string& turn, const Label& label);
  absl::Status AddContent(PromptSnapshot snapshot, const std::string& turn, const Label& label);
  void AddApproval(ApprovalRecord approval);
  void AddOutbox(OutboxRecord outbox);

  WriteMemory& memory_;
  const WallTime now_;
  store::Batch batch_;
  // Of this batch.
  std::vector<std::int64_t> new_principals_;
  std::vector<std::string> new_snapshots_;
};

}  // namespace talon::journal
