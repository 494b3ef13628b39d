// SPDX-License-Identifier: Apache-2.0
#include "agent/turn_loop.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "agent/advice.h"
#include "agent/origins.h"
#include "agent/screening.h"
#include "agent/turn_codec.h"
#include "agent/turn_sink.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/answer_links.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

constexpr double kShrink = 0.5;  // of the messages sent, after a provider's refusal

double CostOf(const model::Usage& usage, const model::CostOptions& cost) {
  const auto fresh = static_cast<double>(usage.input_tokens - usage.cached_input_tokens -
                                         usage.cache_write_tokens);
  return (fresh * cost.input + static_cast<double>(usage.output_tokens) * cost.output +
          static_cast<double>(usage.cached_input_tokens) * cost.cache_read +
          static_cast<double>(usage.cache_write_tokens) * cost.cache_write) /
         1e6;
}

// Call ids must exist and differ within the conversation: some servers send none, or count from
// zero in each answer, and some wires refuse a second use.
void RepairCallIds(const Session& session, const TurnId& turn, std::uint32_t round,
                   model::Message& message) {
  std::unordered_set<std::string> taken;
  auto take = [&](const model::Message& earlier) {
    for (const model::Part& part : earlier.parts) {
      if (const auto* call = std::get_if<model::ToolCall>(&part)) taken.insert(call->id);
    }
  };
  if (model::ToolCallsOf(message).empty()) return;
  for (const StoredMessage& stored : session.history) take(stored.message);
  int index = 0;
  for (model::Part& part : message.parts) {
    auto* call = std::get_if<model::ToolCall>(&part);
    if (call == nullptr) continue;
    const std::string tail =
        turn.str().substr(turn.str().size() - std::min<std::size_t>(8, turn.str().size()));
    if (call->id.empty() || taken.contains(call->id)) {
      call->id = fmt::format("call_{}_{}_{}", tail, round, index);
    }
    ++index;
    taken.insert(call->id);
  }
}

}  // namespace

TurnLoop::TurnLoop(Core& core, Session& session, TurnRun& run)
    : core_(core),
      session_(session),
      run_(run),
      writer_(core, session, run),
      loop_guard_(core.options.no_progress_rounds),
      tool_round_(core, session, run, writer_, loop_guard_),
      label_before_(session.label) {
  StartTime(std::chrono::microseconds(0));
}

TurnLoop::~TurnLoop() {
  LeaveQuarantine();
}

void TurnLoop::LeaveQuarantine() {
  if (std::exchange(quarantined_, false)) core_.quarantine.Leave();
}

void TurnLoop::StartTime(std::chrono::microseconds spent) {
  run_.deadline = core_.deps.clock.SteadyNow() + core_.options.turn_timeout - spent;
}

absl::Status TurnLoop::ChooseModel() {
  const std::string& name = run_.input.model.empty() ? session_.record.model : run_.input.model;
  TALON_ASSIGN_OR_RETURN(router::Route route, core_.deps.router.Resolve(name));
  chain_ = core_.deps.router.Chain(route);
  return absl::OkStatus();
}

void TurnLoop::Begin() {
  writer_.AddStep(journal::StepKind::kAccepted, "{}");
  for (const model::Message& message : run_.input.messages) {
    writer_.AddMessage(message);
    ++prepared_messages_;
  }
}

absl::Status TurnLoop::Prepare() {
  TALON_RETURN_IF_ERROR(ChooseModel());
  Begin();
  prepared_ = true;
  StartModelCall(chain_.front(), {});
  call_started_ = true;
  return absl::OkStatus();
}

void TurnLoop::StartModelCall(const router::Route& route, const RequestShape& shape) {
  built_ = BuildRequest(core_, session_, run_.input, route, shape);
  Json data = {{"round", round_ + 1},
               {"model", route.name()},
               {"prompt", built_.snapshot.hash},
               {"messages", built_.request.messages.size()},
               {"estimate", built_.tokens}};
  writer_.entry().snapshots.push_back(std::move(built_.snapshot));
  for (journal::ArtifactRecord& artifact : built_.artifacts) {
    writer_.entry().artifacts.push_back(std::move(artifact));
  }
  writer_.AddStep(journal::StepKind::kModelStarted, DumpJson(data));
}

io::Task<absl::StatusOr<model::ChatRequest>> TurnLoop::FailOver(const router::Route& next,
                                                                const absl::Status& error,
                                                                const RequestShape& shape) {
  writer_.AddStep(journal::StepKind::kModelFailed, EncodeError(error));
  TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
  StartModelCall(next, shape);
  TALON_CO_RETURN_IF_ERROR(co_await writer_.Flush());
  TellCut();
  co_return std::move(built_.request);
}

void TurnLoop::NoteResponse(const router::RoutedResponse& routed) {
  const model::ChatResponse& response = routed.response;
  if (response.usage_reported) {
    core_.tokens.Learn(routed.route.model, built_.tokens, response.usage.input_tokens);
  }
  const double cost = CostOf(response.usage, routed.route.limits.cost);
  answer_.usage = answer_.usage + response.usage;
  answer_.cost_usd += cost;
  answer_.model = routed.route.name();
  answer_.finish_reason = response.finish_reason;
  Json data = {{"round", round_ + 1},
               {"model", answer_.model},
               {"finish_reason", model::FinishReasonName(response.finish_reason)},
               {"usage", model::EncodeUsage(response.usage)},
               {"cost_usd", cost},
               {"failed_over", routed.failed_over}};
  writer_.AddStep(journal::StepKind::kModelFinished, DumpJson(data));
  LeaveQuarantine();
}

io::Task<absl::StatusOr<model::ChatResponse>> TurnLoop::AskModel(bool force) {
  RequestShape shape{
      .first = round_ == 0, .force = force, .nudge = "", .message_limit = message_limit_};
  bool shrunk = false;
  while (true) {
    TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
    if (!std::exchange(call_started_, false)) StartModelCall(chain_.front(), shape);
    TALON_CO_RETURN_IF_ERROR(co_await writer_.Flush());
    TellRemark();
    TellCut();
    // Once something from outside is in the conversation, an answer's links may carry it away.
    std::optional<guard::AnswerLinks> links;
    if (session_.label.integrity == Integrity::kUntrusted) {
      links.emplace(core_.deps.guard.policy(), Known());
    }
    TurnSink sink(run_, texts_, links ? &*links : nullptr);
    const bool held = IsAdvised(core_, hook::Joinpoint::kResponseBeforeFinal);
    const bool live = !held && !run_.observers.empty();
    auto routed = co_await core_.deps.router.Complete(
        chain_, std::move(built_.request), ContextOf(run_), live ? &sink : nullptr,
        [this, &shape](const router::Route& next, const absl::Status& error) {
          return FailOver(next, error, shape);
        });
    if (!routed.ok()) {
      writer_.AddStep(journal::StepKind::kModelFailed, EncodeError(routed.status()));
      if (ReasonOf(routed.status()) != ErrorReason::kContextTooLong ||
          std::exchange(shrunk, true)) {
        co_return routed.status();
      }
      // Half of what was too much: the configured window may be larger than the real one.
      message_limit_ =
          static_cast<std::int64_t>(static_cast<double>(built_.message_tokens) * kShrink);
      shape.message_limit = message_limit_;
      writer_.AddStep(journal::StepKind::kRepair, R"({"kind":"context_too_long"})");
      continue;
    }
    NoteResponse(*routed);
    model::Message& message = routed->response.message;
    if (held) TALON_CO_RETURN_IF_ERROR(co_await AdviseResponse(core_, run_, writer_, message));
    if (live) sink.Finish();
    if (links) CleanLinks(message);
    if (!live) sink.OnCleanText(model::TextOf(message));
    std::optional<Flaw> flaw;
    if (!force) flaw = FindFlaw(routed->response);
    if (flaw && Repair(*flaw, routed->response, shape)) continue;
    if (flaw && flaw->kind == kEmptyAnswer) {
      co_return Unavailable(fmt::format("model '{}' gave an empty answer; asked again {} times",
                                        answer_.model, repairs_));
    }
    // A malformed call that is left is the guard's to refuse.
    co_return std::move(routed->response);
  }
}

guard::Origins TurnLoop::Known() {
  return [this]() -> const guard::Provenance& { return OriginsOf(core_, session_, run_); };
}

void TurnLoop::CleanLinks(model::Message& message) {
  guard::AnswerLinks links(core_.deps.guard.policy(), Known());
  for (model::Part& part : message.parts) {
    if (auto* text = std::get_if<model::TextPart>(&part)) text->text = links.Clean(text->text);
  }
  if (links.defused() == 0) return;
  const Json data = {{"hook", "guard"},
                     {"joinpoint", "response.before_final"},
                     {"verdict", "rewrite"},
                     {"reason", fmt::format("{} addresses defused", links.defused())}};
  writer_.AddStep(journal::StepKind::kAdvice, DumpJson(data));
}

bool TurnLoop::Repair(const Flaw& flaw, model::ChatResponse& response, RequestShape& shape) {
  if (repairs_ >= core_.options.max_repairs) return false;
  ++repairs_;
  shape.nudge = core_.prompts.Get(flaw.kind);
  Json data = {{"kind", flaw.kind}};
  if (!flaw.tool.empty()) {
    data["tool"] = flaw.tool;
    data["problem"] = flaw.problem;
  }
  writer_.AddStep(journal::StepKind::kRepair, DumpJson(data));
  // What it said besides has been seen already.
  if (!TrimSpace(model::TextOf(response.message)).empty()) {
    TakeResponse(std::move(response), /*force=*/true);
    ++round_;
  }
  return true;
}

// The sender must know what the firewall thinks of the message.
void TurnLoop::TellRemark() {
  if (remark_.empty()) return;
  TurnSink(run_, texts_).OnText(remark_);
  texts_.push_back(std::exchange(remark_, {}));
}

// The person must know that the model did not see all of what was said.
void TurnLoop::TellCut() {
  if (built_.cut_user_bytes == 0 || std::exchange(told_cut_, true)) return;
  std::string text = core_.prompts.Get("cut_message");
  if (const auto at = text.find("{bytes}"); at != std::string::npos) {
    text.replace(at, 7, std::to_string(built_.cut_user_bytes));
  }
  TurnSink(run_, texts_).OnText(text);
  texts_.push_back(std::move(text));
}

std::string TurnLoop::FallbackText() const {
  std::string text = core_.prompts.Get("forced_fallback");
  if (const auto at = text.find("{rounds}"); at != std::string::npos) {
    text.replace(at, 8, std::to_string(round_ - 1));
  }
  return text;
}

std::vector<model::ToolCall> TurnLoop::TakeResponse(model::ChatResponse response, bool force) {
  model::Message& message = response.message;
  if (force) {
    std::erase_if(message.parts, [](const model::Part& part) {
      return std::holds_alternative<model::ToolCall>(part);
    });
    answer_.finish_reason = answer_.finish_reason == model::FinishReason::kToolCalls
                                ? model::FinishReason::kStop
                                : answer_.finish_reason;
  }
  std::string text(TrimSpace(model::TextOf(message)));
  if (text.empty() && force) {
    text = FallbackText();
    message.parts.push_back(model::TextPart{text});
    TurnSink(run_, texts_).OnText(text);
  }
  if (!text.empty()) texts_.push_back(std::move(text));
  RepairCallIds(session_, run_.turn, round_, message);
  message.label = session_.label;
  std::vector<model::ToolCall> calls = model::ToolCallsOf(message);
  writer_.AddMessage(std::move(message));
  return calls;
}

io::Task<absl::StatusOr<bool>> TurnLoop::ReadRemains() {
  auto steps = co_await core_.deps.journal.LoadSteps(run_.turn);
  if (!steps.ok()) {
    writer_.SetStoreFailed();
    co_return steps.status();
  }
  ReadSteps(*steps, remains_, loop_guard_);
  run_.step_seq = remains_.last_step;
  tool_round_.Resume(remains_);  // it may have had an effect, however soon it ends now
  TALON_CO_RETURN_IF_ERROR(co_await NoteResumption());
  if (run_.unread) TALON_CO_RETURN_IF_ERROR(co_await ReadInput());
  const bool begun = ReadMessages(session_, run_.turn, run_.input.messages.size(), remains_);
  round_ = remains_.rounds;
  repairs_ = remains_.repairs;
  texts_ = remains_.texts;
  if (!texts_.empty()) TurnSink(run_, {}).OnText(fmt::format("{}", fmt::join(texts_, "\n\n")));
  answer_.usage = remains_.usage;
  answer_.cost_usd = remains_.cost_usd;
  answer_.model = remains_.model;
  tool_round_.Resume(remains_);
  co_return begun;
}

// Recorded before anything else of the turn runs again: that may end the process once more.
io::Task<absl::Status> TurnLoop::NoteResumption() {
  if (remains_.resumptions >= core_.options.max_resumptions) {
    co_return Internal(
        fmt::format("the daemon ended {} times while it was at the same step of this turn; the "
                    "turn is given up (orchestrator.max_resumptions)",
                    remains_.resumptions + 1));
  }
  if (remains_.resumptions >= Quarantine::kFrom) {
    co_await core_.quarantine.Enter();
    quarantined_ = true;
  }
  StartTime(remains_.spent);
  TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
  const Json data = {{"after", run_.stranded ? kAfterStoreFailure : kAfterRestart}};
  writer_.AddStep(journal::StepKind::kResumed, DumpJson(data));
  co_return co_await writer_.Flush();
}

io::Task<absl::Status> TurnLoop::ReadInput() {
  auto record = co_await core_.deps.journal.LoadTurn(run_.turn);
  if (!record.ok()) {
    writer_.SetStoreFailed();
    co_return record.status();
  }
  TALON_CO_ASSIGN_OR_RETURN(run_.input, DecodeInput(record->payload));
  run_.unread = false;
  co_return absl::OkStatus();
}

io::Task<absl::Status> TurnLoop::FinishRemains() {
  std::vector<model::ToolCall> calls = std::exchange(remains_.calls, {});
  SplitClientCalls(calls);
  if (calls.empty()) co_return absl::OkStatus();
  TALON_CO_RETURN_IF_ERROR(co_await tool_round_.Run(std::move(calls), remains_.calls_seq));
  LeaveQuarantine();
  co_return absl::OkStatus();
}

void TurnLoop::SplitClientCalls(std::vector<model::ToolCall>& calls) {
  std::erase_if(calls, [this](const model::ToolCall& call) {
    for (const model::ToolDefinition& tool : run_.input.client_tools) {
      if (tool.name != call.name) continue;
      answer_.client_calls.push_back(call);
      return true;
    }
    return false;
  });
}

io::Task<absl::Status> TurnLoop::RunRounds() {
  if (!prepared_) {
    bool begun = false;
    if (run_.recovered) {
      TALON_CO_ASSIGN_OR_RETURN(begun, co_await ReadRemains());
    }
    TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
    TALON_CO_RETURN_IF_ERROR(ChooseModel());
    if (!begun) TALON_CO_RETURN_IF_ERROR(ScreenInput(core_, run_, writer_, &remark_));
    TALON_CO_RETURN_IF_ERROR(co_await AdviseInput(core_, run_, writer_, begun));
    if (begun) {
      TALON_CO_RETURN_IF_ERROR(co_await FinishRemains());
    } else {
      Begin();
    }
  }
  const std::uint32_t max_rounds = run_.input.mode == TurnMode::kTask
                                       ? core_.options.max_rounds_task
                                       : core_.options.max_rounds_chat;
  while (answer_.client_calls.empty()) {
    const bool force = round_ >= max_rounds || loop_guard_.exhausted();
    TALON_CO_ASSIGN_OR_RETURN(model::ChatResponse response, co_await AskModel(force));
    ++round_;
    std::vector<model::ToolCall> calls = TakeResponse(std::move(response), force);
    SplitClientCalls(calls);
    if (calls.empty()) break;
    TALON_CO_RETURN_IF_ERROR(co_await tool_round_.Run(std::move(calls), session_.last_seq));
  }
  co_return absl::OkStatus();
}

ContextReport TurnLoop::Report() const {
  const router::Route& route = chain_.front();
  const model::ChatRequest& request = built_.request;
  ContextReport report;
  report.model = route.name();
  report.window = route.limits.context_window;
  report.system_prompt = request.system;
  report.system_tokens = core_.tokens.EstimateText(route.wire, route.model, request.system);
  for (const model::ToolDefinition& tool : request.tools) {
    report.tool_tokens += core_.tokens.EstimateTool(route.wire, route.model, tool);
  }
  report.message_tokens = built_.message_tokens;
  report.tools_shown = request.tools.size();
  report.tools_listed = core_.deps.catalogue.size();
  return report;
}

io::Task<TurnOutcome> TurnLoop::Run() {
  absl::Status status = co_await RunRounds();
  co_return co_await End(std::move(status));
}

}  // namespace talon::agent
