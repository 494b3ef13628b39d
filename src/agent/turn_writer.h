// SPDX-License-Identifier: Apache-2.0
// What a turn writes: steps and messages gather in one journal entry until Flush(). The session in
// memory is ahead of the journal by what has gathered. Loop's thread; one a turn.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core.h"
#include "agent/session.h"
#include "base/clock.h"

namespace talon::agent {

class TurnWriter {
 public:
  // All must outlive this.
  TurnWriter(Core& core, Session& session, TurnRun& run)
      : core_(core), session_(session), run_(run) {}

  void AddStep(journal::StepKind kind, std::string data);
  void AddMessage(model::Message message);
  // With the step that says so.
  void AddApproval(journal::ApprovalRecord approval);
  // For records of other kinds.
  journal::Entry& entry() { return entry_; }
  // Shows a call to the observers once what has gathered is durable.
  enum class Shown { kStart, kResult };
  void ShowLater(Shown what, ToolActivity activity) {
    to_show_.emplace_back(what, std::move(activity));
  }

  // Ends when what has gathered is durable. After an error nothing of it is in the journal.
  io::Task<absl::Status> Flush();
  // For somebody else to store.
  journal::Entry TakeEntry() { return std::exchange(entry_, {}); }
  // The session as it was `messages` messages ago, with the label it had.
  void Revert(std::size_t messages, Label label);
  // The journal could not be written or read: the session in memory does not match it any more.
  bool store_failed() const { return store_failed_; }
  void SetStoreFailed() { store_failed_ = true; }

 private:
  // The wall's time at the first step, and steady time from there: a clock that is set meanwhile
  // neither lengthens nor shortens what the steps say that the turn took.
  WallTime StepTime();

  Core& core_;
  Session& session_;
  TurnRun& run_;
  journal::Entry entry_;
  std::optional<std::pair<WallTime, SteadyTime>> first_step_;
  std::vector<std::pair<Shown, ToolActivity>> to_show_;
  bool store_failed_ = false;
};

}  // namespace talon::agent
