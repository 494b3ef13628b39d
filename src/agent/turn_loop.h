// SPDX-License-Identifier: Apache-2.0
// One turn: rounds of asking the model and running its calls until there is an answer. Every record
// is committed before what depends on it starts: records gather in an entry that is flushed before
// a model call, before a group of tool calls, and with the answer. Loop's thread; owned by the
// agent for the length of the turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/core.h"
#include "agent/flaw.h"
#include "agent/loop_guard.h"
#include "agent/remains.h"
#include "agent/request.h"
#include "agent/session.h"
#include "agent/tool_round.h"
#include "agent/turn_writer.h"

namespace talon::agent {

class TurnLoop {
 public:
  // All must outlive the loop.
  TurnLoop(Core& core, Session& session, TurnRun& run);
  ~TurnLoop();
  TurnLoop(const TurnLoop&) = delete;
  TurnLoop& operator=(const TurnLoop&) = delete;

  // Puts the person's messages into the session and prepares the first model call; the records wait
  // in TakeEntry(). Fails without a trace when the model is unknown.
  absl::Status Prepare();
  journal::Entry TakeEntry() { return writer_.TakeEntry(); }
  // Undoes Prepare() in the session, when its entry was not stored.
  void Revert() { writer_.Revert(prepared_messages_, label_before_); }

  // Runs the turn to its end and records it. Prepares first when that was not done.
  io::Task<TurnOutcome> Run();
  // Instead of what Run() could not return, for it ended with an exception: the turn has failed.
  io::Task<TurnOutcome> Abandon(absl::Status why);
  // The journal could not be written or read: the turn is unfinished there, and the session in
  // memory does not match it.
  bool unrecorded() const { return writer_.store_failed() && unrecorded_; }
  // What the prepared request carries.
  ContextReport Report() const;

 private:
  io::Task<absl::Status> RunRounds();
  // `spent` of the turn's time has passed.
  void StartTime(std::chrono::microseconds spent);
  absl::Status ChooseModel();
  void Begin();
  // Reads what a turn from the journal left; false when it had not begun.
  io::Task<absl::StatusOr<bool>> ReadRemains();
  // Records that the turn runs again; refused when that was in vain too often.
  io::Task<absl::Status> NoteResumption();
  io::Task<absl::Status> ReadInput();
  void LeaveQuarantine();
  io::Task<absl::Status> FinishRemains();
  io::Task<absl::StatusOr<model::ChatResponse>> AskModel(bool force);
  void StartModelCall(const router::Route& route, const RequestShape& shape);
  // The request cut to the window of the model that takes over, recorded before it is sent.
  io::Task<absl::StatusOr<model::ChatRequest>> FailOver(const router::Route& next,
                                                        const absl::Status& error,
                                                        const RequestShape& shape);
  // Where the conversation's values came from.
  guard::Origins Known();
  // Makes addresses harmless that may carry away what the conversation holds.
  void CleanLinks(model::Message& message);
  // Records that the answer has a flaw and prepares asking again; false when that was done often
  // enough.
  bool Repair(const Flaw& flaw, model::ChatResponse& response, RequestShape& shape);
  // Takes in a finished model call: usage, cost, a step.
  void NoteResponse(const router::RoutedResponse& routed);
  // Takes in an answer: texts, the message. Returns the calls to run.
  std::vector<model::ToolCall> TakeResponse(model::ChatResponse response, bool force);
  void TellRemark();
  void TellCut();
  std::string FallbackText() const;
  // Moves the calls of the caller's own tools from `calls` to the answer.
  void SplitClientCalls(std::vector<model::ToolCall>& calls);
  io::Task<TurnOutcome> End(absl::Status status);
  io::Task<void> EndUnrecorded(TurnOutcome& outcome);
  io::Task<void> RecordFailure(TurnOutcome& outcome);
  void AddAnswer(TurnOutcome& outcome);
  void AddFailure(const absl::Status& status, TurnOutcome& outcome);
  void AddReply(journal::Entry& entry) const;

  Core& core_;
  Session& session_;
  TurnRun& run_;
  TurnWriter writer_;
  LoopGuard loop_guard_;
  ToolRound tool_round_;
  Remains remains_;  // of a turn taken up from the journal
  const Label label_before_;
  std::size_t prepared_messages_ = 0;
  bool prepared_ = false;
  bool unrecorded_ = true;  // matters once the store has failed
  bool told_cut_ = false;
  std::string remark_;  // of the firewall, still to be told
  bool quarantined_ = false;
  bool call_started_ = false;  // the model call's records are already in the journal

  std::vector<router::Route> chain_;
  BuiltRequest built_;                         // the request last made
  std::optional<std::int64_t> message_limit_;  // tokens; set once a provider refused more
  std::uint32_t round_ = 0;
  std::uint32_t repairs_ = 0;
  std::vector<std::string> texts_;  // of each round
  TurnAnswer answer_;
};

}  // namespace talon::agent
