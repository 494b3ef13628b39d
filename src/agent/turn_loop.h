// SPDX-License-Identifier: Apache-2.0
// One turn: rounds of asking the model and running its calls until there is an answer. Every record
// is committed before what depends on it starts: records gather in an entry that is flushed before
// a model call, before a group of tool calls, and with the answer. Loop's thread; owned by the
// agent for the length of the turn.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core.h"
#include "agent/loop_guard.h"
#include "agent/session.h"
#include "agent/tool_round.h"

namespace talon::agent {

class TurnLoop {
 public:
  // All must outlive the loop.
  TurnLoop(Core& core, Session& session, TurnRun& run);

  // Puts the person's messages into the session and prepares the first model call; the records wait
  // in TakeEntry(). Fails without a trace when the model is unknown.
  absl::Status Prepare();
  journal::Entry TakeEntry();
  // Undoes Prepare() in the session, when its entry was not stored.
  void Revert();

  // Runs the turn to its end and records it. Prepares first when that was not done.
  io::Task<TurnOutcome> Run();
  // The journal could not be written: the session in memory is ahead of it and must be dropped.
  bool store_failed() const { return store_failed_; }
  // What the prepared request carries.
  ContextReport Report() const;

 private:
  io::Task<absl::Status> RunRounds();
  io::Task<absl::Status> Resume();
  io::Task<absl::StatusOr<model::ChatResponse>> AskModel(bool force);
  absl::Status StartModelCall(bool force, double scale, std::string_view nudge);
  // Puts the request's system prompt and tools into the entry, unless the journal has them, and
  // returns their hash.
  const std::string& SnapshotPrompt();
  void FitMessages(bool force, double scale, std::string_view nudge);
  // Takes in a finished model call: usage, cost, texts, the message. Returns the calls to run.
  std::vector<model::ToolCall> TakeResponse(model::ChatResponse response, bool force);
  // Moves the calls of the caller's own tools from `calls` to the answer.
  void SplitClientCalls(std::vector<model::ToolCall>& calls);
  io::Task<absl::Status> Flush();
  io::Task<TurnOutcome> End(absl::Status status);
  void AddAnswer(TurnOutcome& outcome);
  void AddStep(journal::StepKind kind, std::string data);
  void AddMessage(model::Message message);
  absl::Status Alive() const;
  CallContext Context() const;
  Label ContextLabel() const;

  Core& core_;
  Session& session_;
  TurnRun& run_;
  SteadyTime deadline_;
  journal::Entry entry_;
  LoopGuard loop_guard_;
  ToolRound tool_round_;
  std::size_t prepared_messages_ = 0;
  bool prepared_ = false;
  bool call_started_ = false;  // the model call's records are already in the journal
  bool store_failed_ = false;

  std::vector<router::Route> chain_;
  model::ChatRequest request_;
  std::int64_t estimate_ = 0;
  std::uint32_t round_ = 0;
  std::vector<std::string> texts_;  // of each round
  TurnAnswer answer_;
};

}  // namespace talon::agent
