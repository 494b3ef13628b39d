// SPDX-License-Identifier: Apache-2.0
// Runs the tool calls of one model answer: each passes the guard, read-only neighbours run at once,
// everything else in order; an effect is recorded before it starts and its result after. Loop's
// thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core.h"
#include "agent/loop_guard.h"
#include "agent/session.h"

namespace talon::agent {

class ToolRound {
 public:
  // What the round needs from its turn.
  struct Hooks {
    std::function<void(journal::StepKind, std::string)> add_step;
    std::function<void(model::Message)> add_message;
    std::function<io::Task<absl::Status>()> flush;
    std::function<journal::Entry&()> entry;
    std::function<CallContext()> context;
    std::function<Label()> label;
  };

  ToolRound(Core& core, TurnRun& run, LoopGuard& loop_guard, Hooks hooks)
      : core_(core), run_(run), loop_guard_(loop_guard), hooks_(std::move(hooks)) {}

  // The next Run() goes on where a process ended: `intended` are the keys of calls that were about
  // to run, `done` the ids of calls that have their result.
  void Resume(std::set<std::string> intended, std::set<std::string> done) {
    intended_ = std::move(intended);
    done_ = std::move(done);
  }

  // `seed` makes call keys unique within the turn (position of the assistant message). Fails only
  // when the journal fails or the turn is cancelled.
  io::Task<absl::Status> Run(std::vector<model::ToolCall> calls, std::int64_t seed);

 private:
  struct Planned;
  Planned Plan(const model::ToolCall& call, std::int64_t seed, std::size_t index);
  io::Task<absl::Status> RunGroup(std::vector<Planned*> group);
  io::Task<void> Execute(Planned* planned);
  void Intend(const Planned& planned);
  void Conclude(Planned& planned);

  Core& core_;
  TurnRun& run_;
  LoopGuard& loop_guard_;
  Hooks hooks_;
  std::set<std::string> intended_, done_;
};

}  // namespace talon::agent
