// SPDX-License-Identifier: Apache-2.0
// Runs the tool calls of one model answer: each passes the guard, read-only neighbours run at once,
// everything else in order; an effect is recorded before it starts and its result after. Loop's
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core.h"
#include "agent/loop_guard.h"
#include "agent/remains.h"
#include "agent/session.h"
#include "agent/turn_writer.h"

namespace talon::agent {

class ToolRound {
 public:
  // All must outlive this.
  ToolRound(Core& core, Session& session, TurnRun& run, TurnWriter& writer, LoopGuard& loop_guard)
      : core_(core), session_(session), run_(run), writer_(writer), loop_guard_(loop_guard) {}

  // The next Run() goes on where a process ended.
  void Resume(const Remains& remains);

  // `seed` makes call keys unique within the turn (position of the assistant message). Fails only
  // when the journal fails or the turn must not go on.
  io::Task<absl::Status> Run(std::vector<model::ToolCall> calls, std::int64_t seed);

  // Whether a call that changes something may have run in this turn.
  bool effects() const { return effects_; }

 private:
  struct Planned;
  // Unique for the call within the turn, and the same after a restart.
  std::string KeyOf(const Planned& planned, std::int64_t seed) const;
  guard::CheckedCall Check(const std::string& tool, const std::string& arguments);
  Planned Plan(const model::ToolCall& call, std::int64_t seed, std::size_t index);
  void TakeVerdict(Planned& planned, guard::CheckedCall checked);
  io::Task<absl::Status> Ask(Planned& planned);
  // What becomes of a call that was about to run when the process ended.
  void PlanAgain(const IntendedCall& before, Planned& planned);
  // Refuses a call that was made too often.
  void CheckRepeats(Planned& planned);
  // What hooks make of a call that is about to run, and of what it gave.
  io::Task<void> AdviseCall(Planned& planned, std::int64_t seed);
  io::Task<bool> AdviseResult(Planned& planned, tool::ToolOutput& output);
  void Refuse(Planned& planned, const absl::Status& why);
  io::Task<absl::Status> RunGroup(std::vector<Planned*> group);
  io::Task<void> Execute(Planned* planned);
  io::Task<void> Attempt(Planned* planned);
  // Whether its effect may have happened although it failed, in the journal and to the model.
  void TellOpen(Planned& planned, bool open);
  void Intend(Planned& planned);
  void Conclude(Planned& planned);
  void WriteEffect(const Planned& planned, journal::EffectState state, const Label& label);
  static ToolActivity StartOf(const Planned& planned);
  void ShowStart(const Planned& planned);
  void ShowResult(const Planned& planned);

  Core& core_;
  Session& session_;
  TurnRun& run_;
  TurnWriter& writer_;
  LoopGuard& loop_guard_;
  std::map<std::string, IntendedCall> intended_;
  std::set<std::string> done_;
  bool effects_ = false;
};

}  // namespace talon::agent
