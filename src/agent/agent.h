// SPDX-License-Identifier: Apache-2.0
// The agent: sessions, turns and what runs them. A turn is accepted into the journal, run round by
// round, and ends with a recorded answer. Owned by daemon/. Loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/observer.h"
#include "agent/options.h"
#include "base/call_context.h"
#include "base/ids.h"
#include "guard/guard.h"
#include "hook/hooks.h"
#include "io/task.h"
#include "journal/journal.h"
#include "model/tokens.h"
#include "model/types.h"
#include "router/router.h"
#include "tool/catalogue.h"

namespace talon::guard {
class Firewall;
}

namespace talon::agent {

enum class TurnMode { kChat, kTask };

// What deleting a session does about its turns under way.
enum class OpenTurns { kRefuse, kCancel };

// What becomes of calls that need the person's approval.
enum class Approvals {
  kRefuse,  // refused: nobody is there to ask
  kWait,    // the turn waits for an answer, over restarts, as long as orchestrator.approval_timeout
};

// What a caller asks of one turn. Stored in the event, so that a restart runs the same turn.
struct TurnInput {
  std::vector<model::Message> messages;  // new since the session's last turn; at least one
  std::string model;                     // override; empty = the session's or the default
  TurnMode mode = TurnMode::kChat;
  Approvals approvals = Approvals::kRefuse;
  std::string instructions;  // further instructions of the caller, below the built-in rules
  // Tools the caller runs itself: calls to them end the turn and are handed back.
  std::vector<model::ToolDefinition> client_tools;
  model::ToolChoice tool_choice = model::ToolChoice::kAuto;
  std::string only_tool;  // of client_tools: nothing else is offered in the first round
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::vector<std::string> stop;
  model::ReasoningEffort reasoning = model::ReasoningEffort::kDefault;
  std::map<std::string, std::string> extra;  // see model::ChatRequest; in every round
  // Where the answer goes, as JSON of the room that took the message; empty: to whoever awaits the
  // turn.
  std::string reply_to;
};

struct TurnAnswer {
  std::string text;
  std::vector<model::ToolCall> client_calls;
  model::FinishReason finish_reason = model::FinishReason::kStop;
  model::Usage usage;   // of all rounds
  double cost_usd = 0;  // by the configured prices
  std::string model;    // who gave the last answer
  std::int64_t rounds = 0;
};

// How a turn ended. `error` is OK when it completed.
struct TurnOutcome {
  TurnId turn;
  SessionId session;
  journal::TurnState state = journal::TurnState::kCompleted;
  TurnAnswer answer;
  absl::Status error;
};

struct Undelivered {
  TurnId turn;
  std::string reply_to;
};

class CodeChannel;
class Grants;

// The person's answer to an approval.
struct ApprovalAnswer {
  std::string id;
  bool approve = false;
  std::string code;  // where one is needed
  std::string by;    // for the record
};

struct Dependencies {
  io::Loop& loop;
  const Clock& clock;
  IdSource& ids;
  journal::Journal& journal;
  router::Router& router;
  tool::Catalogue& catalogue;
  guard::Guard& guard;
  hook::Hooks* hooks = nullptr;               // null: nobody advises
  const guard::Firewall* firewall = nullptr;  // null: nothing is screened
  Grants* grants = nullptr;                   // null: nothing is granted
  CodeChannel* codes = nullptr;               // null: what needs a one-time code is refused
};

// What the next prompt would carry, for `talon context`.
struct ContextReport {
  std::string model;
  std::int64_t system_tokens = 0, tool_tokens = 0, message_tokens = 0, window = 0;
  std::size_t tools_shown = 0, tools_listed = 0;
  std::string system_prompt;
};

class Agent {
 public:
  static absl::StatusOr<std::unique_ptr<Agent>> Create(OrchestratorOptions options,
                                                       Dependencies dependencies);
  virtual ~Agent() = default;

  // Durable when it ends; the turn then runs by itself. A duplicate of an earlier event runs
  // nothing and `observer` sees nothing: Await() or Watch() its turn. Errors: ResourceExhausted
  // (queue), NotFound/kUnknownModel, InvalidArgument, Aborted (the session was deleted meanwhile),
  // Unavailable (stopping), and the journal's.
  virtual io::Task<absl::StatusOr<journal::Accepted>> Submit(journal::EventEnvelope event,
                                                             TurnInput input,
                                                             TurnObserver* observer) = 0;
  // Shows `observer` the text and the open questions and approvals that the turn has shown so far,
  // and what follows; of a turn that has ended, or that nobody runs now, only its end as Await()
  // has it. Ends when `observer` is up to date.
  virtual io::Task<void> Watch(TurnId turn, TurnObserver& observer) = 0;
  // Stops calling `observer`. Must run before the observer dies, if its turn may still run.
  virtual void Forget(const TurnId& turn, TurnObserver* observer) = 0;
  // Ends with the turn, at once for one that has ended. `context` bounds the waiting only. A turn
  // that nobody runs now has the outcome kRunning and an Unavailable error.
  virtual io::Task<absl::StatusOr<TurnOutcome>> Await(TurnId turn, CallContext context) = 0;
  // Who a turn is of, whatever became of it. NotFound.
  virtual io::Task<absl::StatusOr<Principal>> OwnerOf(TurnId turn) = 0;
  // The person's answer to a question of a tool (TurnObserver::OnQuestion); `content` is JSON that
  // fits the question's schema. Ends when the answer is recorded. NotFound when `turn` is not the
  // principal's or the question is not open (any more); InvalidArgument when the answer does not
  // fit: the question stays open.
  virtual io::Task<absl::Status> Answer(Principal principal, TurnId turn, QuestionId question,
                                        tool::AnswerAction action, std::string content) = 0;
  // Answers an approval that waits; ends when that is recorded, with the record as it is then.
  // `owner`: who may answer only for turns of their own; null: for everybody's. NotFound,
  // FailedPrecondition when it is not open, PermissionDenied for a wrong code: after
  // orchestrator.max_code_tries of them the call is denied.
  virtual io::Task<absl::StatusOr<journal::ApprovalRecord>> AnswerApproval(
      ApprovalAnswer answer, const Principal* owner) = 0;
  // What the policy says to a call if the model made it now in that session (empty: a new one)
  // after the person said `message`. Nothing is run or recorded.
  virtual io::Task<absl::StatusOr<guard::CheckedCall>> JudgeCall(Principal principal,
                                                                 std::string session_key,
                                                                 std::string message,
                                                                 model::ToolCall call) = 0;
  // Ends a turn that runs or waits; false when there is none.
  virtual bool Cancel(const TurnId& turn, absl::Status reason) = 0;
  // Turns of `origin` that have a `reply_to` and whose answer has not left the process, those under
  // way too. Who opens the way there awaits and delivers them.
  virtual io::Task<absl::StatusOr<std::vector<Undelivered>>> LoadUndelivered(
      std::string origin) = 0;
  // Counts a further try to deliver, before it is made; false when there were `most`.
  virtual io::Task<absl::StatusOr<bool>> CountDelivery(TurnId turn, std::int64_t most) = 0;
  // The answer left the process: it will not be delivered again.
  virtual void Delivered(const TurnId& turn) = 0;

  // Takes up every turn the journal holds unfinished. Call once; a Submit waits for it.
  virtual io::Task<absl::Status> Recover() = 0;
  // No new turns; those under way get until `deadline`, the rest stays in the journal.
  virtual io::Task<void> Stop(SteadyTime deadline) = 0;

  virtual io::Task<absl::StatusOr<ContextReport>> Context(Principal principal,
                                                          std::string session_key,
                                                          std::string model) = 0;
  virtual std::size_t running_turns() const = 0;
  // Takes notice that a session was changed in the journal.
  virtual void Evict(const SessionId& session) = 0;
  // NotFound. While turns run or wait in it: FailedPrecondition that names them, or with kCancel
  // they are cancelled and ended first.
  virtual io::Task<absl::Status> DeleteSession(SessionId session,
                                               OpenTurns turns = OpenTurns::kRefuse) = 0;
};

}  // namespace talon::agent
