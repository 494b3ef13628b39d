// SPDX-License-Identifier: Apache-2.0
#include "agent/turn_loop.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/toolset.h"
#include "agent/turn_codec.h"
#include "agent/window.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

constexpr std::int64_t kDefaultReserve = 4096;  // tokens kept for the answer where no limit is set
constexpr double kMargin = 0.05;                // of the window, for what the estimate misses
constexpr std::size_t kMaxKnownSnapshots = 4096;
constexpr double kShrink = 0.5;  // of the budget, after a provider's refusal

// Passes deltas to the observers, with a blank line between the texts of two rounds.
class TurnSink : public model::DeltaSink {
 public:
  TurnSink(TurnRun& run, bool separate) : run_(run), separate_(separate) {}
  void OnText(std::string_view text) override {
    for (TurnObserver* observer : run_.observers) {
      if (separate_) observer->OnText("\n\n");
      observer->OnText(text);
    }
    separate_ = false;
  }
  void OnReasoning(std::string_view text) override {
    for (TurnObserver* observer : run_.observers) observer->OnReasoning(text);
  }

 private:
  TurnRun& run_;
  bool separate_;
};

bool IsEmpty(const journal::Entry& entry) {
  return entry.steps.empty() && entry.messages.empty() && entry.effects.empty() &&
         !entry.turn_end && entry.snapshots.empty() && entry.artifacts.empty();
}

double CostOf(const model::Usage& usage, const model::CostOptions& cost) {
  const auto fresh = static_cast<double>(usage.input_tokens - usage.cached_input_tokens -
                                         usage.cache_write_tokens);
  return (fresh * cost.input + static_cast<double>(usage.output_tokens) * cost.output +
          static_cast<double>(usage.cached_input_tokens) * cost.cache_read +
          static_cast<double>(usage.cache_write_tokens) * cost.cache_write) /
         1e6;
}

// Call ids must exist and differ within one answer; some servers send none.
void RepairCallIds(model::Message& message, const TurnId& turn, std::uint32_t round) {
  std::set<std::string> seen;
  int index = 0;
  for (model::Part& part : message.parts) {
    auto* call = std::get_if<model::ToolCall>(&part);
    if (call == nullptr) continue;
    ++index;
    if (call->id.empty() || !seen.insert(call->id).second) {
      call->id =
          fmt::format("call_{}_{}_{}", turn.str().substr(turn.str().size() - 6), round, index);
      seen.insert(call->id);
    }
  }
}

std::string DateText(WallTime now) {
  return FormatTime(now).substr(0, 10);
}

}  // namespace

TurnLoop::TurnLoop(Core& core, Session& session, TurnRun& run)
    : core_(core),
      session_(session),
      run_(run),
      deadline_(core.deps.clock.SteadyNow() + core.options.turn_timeout),
      loop_guard_(core.options.no_progress_rounds),
      tool_round_(core, run, loop_guard_,
                  {.add_step = [this](journal::StepKind kind,
                                      std::string data) { AddStep(kind, std::move(data)); },
                   .add_message = [this](model::Message m) { AddMessage(std::move(m)); },
                   .flush = [this] { return Flush(); },
                   .entry = [this]() -> journal::Entry& { return entry_; },
                   .context = [this] { return Context(); },
                   .label = [this] { return ContextLabel(); }}) {}

void TurnLoop::AddStep(journal::StepKind kind, std::string data) {
  journal::StepRecord step;
  step.turn = run_.turn;
  step.seq = ++run_.step_seq;
  step.kind = kind;
  step.data = std::move(data);
  step.label = ContextLabel();
  step.at = core_.deps.clock.Now();
  entry_.steps.push_back(std::move(step));
}

void TurnLoop::AddMessage(model::Message message) {
  journal::MessageRecord record;
  record.session = session_.record.id;
  record.seq = ++session_.last_seq;
  record.turn = run_.turn;
  record.role = model::RoleName(message.role);
  record.content = model::EncodeMessage(message);
  record.label = message.label;
  record.principal = run_.principal;
  record.created_at = core_.deps.clock.Now();
  entry_.messages.push_back(std::move(record));
  session_.history.push_back({run_.turn, std::move(message)});
  while (session_.history.size() > core_.options.context_messages) session_.history.pop_front();
}

Label TurnLoop::ContextLabel() const {
  Label label{.integrity = Integrity::kSystem, .readers = {}};
  for (const StoredMessage& stored : session_.history) label = Join(label, stored.message.label);
  return label;
}

CallContext TurnLoop::Context() const {
  return {.principal = run_.principal,
          .deadline = deadline_,
          .cancel = run_.cancel.token(),
          .trace_id = run_.turn.str()};
}

absl::Status TurnLoop::Alive() const {
  if (run_.cancel.token().cancelled()) return run_.cancel.token().status();
  if (core_.deps.clock.SteadyNow() >= deadline_) {
    return DeadlineExceeded(fmt::format("the turn ran longer than orchestrator.turn_timeout ({} s)",
                                        core_.options.turn_timeout.count() / 1000));
  }
  return absl::OkStatus();
}

absl::Status TurnLoop::Prepare() {
  const std::string& name = run_.input.model.empty() ? session_.record.model : run_.input.model;
  TALON_ASSIGN_OR_RETURN(router::Route route, core_.deps.router.Resolve(name));
  chain_ = core_.deps.router.Chain(route);
  prepared_ = true;
  bool known = false;
  for (const StoredMessage& stored : session_.history) known |= stored.turn == run_.turn;
  if (run_.recovered && known) return absl::OkStatus();
  AddStep(journal::StepKind::kAccepted, "{}");
  for (const model::Message& message : run_.input.messages) {
    AddMessage(message);
    ++prepared_messages_;
  }
  call_started_ = true;
  return StartModelCall(false, 1.0, "");
}

journal::Entry TurnLoop::TakeEntry() {
  return std::exchange(entry_, {});
}

void TurnLoop::Revert() {
  for (; prepared_messages_ > 0 && !session_.history.empty(); --prepared_messages_) {
    session_.history.pop_back();
    --session_.last_seq;
  }
  entry_ = {};
}

io::Task<absl::Status> TurnLoop::Flush() {
  if (IsEmpty(entry_)) co_return absl::OkStatus();
  absl::Status status = co_await core_.deps.journal.Append(TakeEntry());
  if (!status.ok()) store_failed_ = true;
  co_return status;
}

absl::Status TurnLoop::StartModelCall(bool force, double scale, std::string_view nudge) {
  FitMessages(force, scale, nudge);
  const std::string& hash = SnapshotPrompt();
  Json data = {{"round", round_ + 1},
               {"model", chain_.front().name()},
               {"prompt", hash},
               {"messages", request_.messages.size()},
               {"estimate", estimate_}};
  AddStep(journal::StepKind::kModelStarted, DumpJson(data));
  return absl::OkStatus();
}

const std::string& TurnLoop::SnapshotPrompt() {
  LastPrompt& last = core_.last_prompt;
  const bool same = last.system == request_.system && last.tools == request_.tools;
  if (same && core_.stored_snapshots.contains(last.hash)) return last.hash;
  Json tools = Json::array();
  for (const model::ToolDefinition& tool : request_.tools) {
    tools.push_back(
        {{"name", tool.name}, {"description", tool.description}, {"schema", tool.schema}});
  }
  std::string snapshot = DumpJson({{"system", request_.system}, {"tools", tools}});
  last = {.system = request_.system, .tools = request_.tools, .hash = Sha256Hex(snapshot)};
  if (core_.stored_snapshots.size() > kMaxKnownSnapshots) core_.stored_snapshots.clear();
  if (core_.stored_snapshots.insert(last.hash).second) {
    entry_.snapshots.push_back({.hash = last.hash, .content = std::move(snapshot)});
  }
  return last.hash;
}

void TurnLoop::FitMessages(bool force, double scale, std::string_view nudge) {
  const router::Route& route = chain_.front();
  std::vector<model::Message> history;
  history.reserve(session_.history.size());
  for (const StoredMessage& stored : session_.history) history.push_back(stored.message);

  Toolset toolset = ChooseTools(core_.deps.catalogue, core_.options.eager_tools, history);
  request_ = {};
  request_.system = BuildSystemPrompt(core_.prompts, {.date = DateText(core_.deps.clock.Now()),
                                                      .rules = core_.options.rules,
                                                      .tool_lines = std::move(toolset.lines),
                                                      .instructions = run_.input.instructions});
  request_.tools = std::move(toolset.shown);
  for (const model::ToolDefinition& tool : run_.input.client_tools) request_.tools.push_back(tool);
  request_.tool_choice = force ? model::ToolChoice::kNone : run_.input.tool_choice;
  // "required" holds for the first answer only, or the turn could never end.
  if (round_ > 0 && request_.tool_choice == model::ToolChoice::kRequired) {
    request_.tool_choice = model::ToolChoice::kAuto;
  }
  request_.max_output_tokens = run_.input.max_output_tokens;
  request_.temperature = run_.input.temperature;
  request_.top_p = run_.input.top_p;
  request_.stop = run_.input.stop;

  const std::string_view notes[] = {
      force ? std::string_view(core_.prompts.Get("force_answer")) : std::string_view(), nudge};
  for (std::string_view note : notes) {
    if (note.empty()) continue;
    history.push_back(
        model::TextMessage(model::Role::kUser, std::string(note), Integrity::kSystem));
  }

  const std::int64_t fixed = core_.tokens.Estimate(route.wire, request_);
  const std::int64_t window = route.limits.context_window;
  const std::int64_t reserve = request_.max_output_tokens.value_or(
      route.limits.max_tokens > 0 ? route.limits.max_tokens
                                  : std::min(kDefaultReserve, window / 4));
  const auto margin = static_cast<std::int64_t>(static_cast<double>(window) * kMargin);
  const std::int64_t room = std::max<std::int64_t>(window - reserve - margin - fixed, window / 8);
  const auto budget = static_cast<std::int64_t>(static_cast<double>(room) * scale);
  Window fitted = FitWindow(std::move(history), budget, [&](const model::Message& message) {
    return core_.tokens.EstimateMessage(route.wire, route.model, message);
  });
  request_.messages = std::move(fitted.messages);
  estimate_ = fixed + fitted.tokens;
}

io::Task<absl::StatusOr<model::ChatResponse>> TurnLoop::AskModel(bool force) {
  double scale = 1.0;
  std::uint32_t repairs = 0;
  std::string nudge;
  while (true) {
    TALON_CO_RETURN_IF_ERROR(Alive());
    if (!std::exchange(call_started_, false)) {
      TALON_CO_RETURN_IF_ERROR(StartModelCall(force, scale, nudge));
    }
    TALON_CO_RETURN_IF_ERROR(co_await Flush());
    TurnSink sink(run_, !texts_.empty());
    auto routed = co_await core_.deps.router.Complete(chain_, std::move(request_), Context(),
                                                      run_.observers.empty() ? nullptr : &sink);
    if (!routed.ok()) {
      AddStep(journal::StepKind::kModelFailed, EncodeError(routed.status()));
      if (ReasonOf(routed.status()) == ErrorReason::kContextTooLong && scale == 1.0) {
        scale = kShrink;
        AddStep(journal::StepKind::kRepair, R"({"kind":"context_too_long"})");
        continue;
      }
      co_return routed.status();
    }
    model::ChatResponse& response = routed->response;
    core_.tokens.Learn(chain_.front().model, estimate_,
                       response.usage_reported ? response.usage.input_tokens : 0);
    answer_.usage = answer_.usage + response.usage;
    answer_.cost_usd += CostOf(response.usage, routed->route.limits.cost);
    answer_.model = routed->route.name();
    answer_.finish_reason = response.finish_reason;
    Json data = {{"round", round_ + 1},
                 {"model", answer_.model},
                 {"finish_reason", model::FinishReasonName(response.finish_reason)},
                 {"usage", model::EncodeUsage(response.usage)},
                 {"failed_over", routed->failed_over}};
    AddStep(journal::StepKind::kModelFinished, DumpJson(data));
    const bool empty = TrimSpace(model::TextOf(response.message)).empty() &&
                       (force || model::ToolCallsOf(response.message).empty());
    if (!empty || response.finish_reason == model::FinishReason::kContentFilter) {
      co_return std::move(response);
    }
    if (force) co_return std::move(response);
    if (repairs++ >= core_.options.max_repairs) {
      co_return Unavailable(
          fmt::format("model '{}' gave an empty answer {} times", answer_.model, repairs));
    }
    nudge = core_.prompts.Get("empty_answer");
    AddStep(journal::StepKind::kRepair, R"({"kind":"empty_answer"})");
  }
}

std::vector<model::ToolCall> TurnLoop::TakeResponse(model::ChatResponse response, bool force) {
  model::Message& message = response.message;
  if (force) {
    std::erase_if(message.parts, [](const model::Part& part) {
      return std::holds_alternative<model::ToolCall>(part);
    });
  }
  std::string text(TrimSpace(model::TextOf(message)));
  if (text.empty() && force) {
    text = core_.prompts.Get("forced_fallback");
    if (const auto at = text.find("{rounds}"); at != std::string::npos) {
      text.replace(at, 8, std::to_string(round_));
    }
    message.parts.push_back(model::TextPart{text});
    for (TurnObserver* observer : run_.observers) {
      observer->OnText(texts_.empty() ? text : "\n\n" + text);
    }
  }
  if (!text.empty()) texts_.push_back(std::move(text));
  RepairCallIds(message, run_.turn, round_);
  message.label = ContextLabel();
  std::vector<model::ToolCall> calls = model::ToolCallsOf(message);
  AddMessage(std::move(message));
  return calls;
}

io::Task<absl::Status> TurnLoop::Resume() {
  auto steps = co_await core_.deps.journal.LoadSteps(run_.turn);
  TALON_CO_RETURN_IF_ERROR(steps.status());
  std::set<std::string> intended;
  for (const journal::StepRecord& step : *steps) {
    run_.step_seq = std::max(run_.step_seq, step.seq);
    if (step.kind == journal::StepKind::kModelFinished) {
      intended.clear();
      ++round_;
      if (auto data = ParseJson(step.data, "step"); data.ok()) {
        answer_.model = JsonString(*data, "model");
        auto usage = model::DecodeUsage(JsonString(*data, "usage"));
        if (usage.ok()) answer_.usage = answer_.usage + *usage;
      }
    } else if (step.kind == journal::StepKind::kToolIntended) {
      if (auto data = ParseJson(step.data, "step"); data.ok()) {
        intended.insert(JsonString(*data, "effect_key"));
      }
    }
  }
  // What the last answer called and has no result yet.
  std::vector<model::ToolCall> calls;
  std::set<std::string> done;
  std::int64_t seed = 0;
  std::int64_t position = session_.last_seq;
  for (auto stored = session_.history.rbegin(); stored != session_.history.rend(); ++stored) {
    if (stored->turn != run_.turn) break;
    if (stored->message.role == model::Role::kAssistant) {
      const std::string text(TrimSpace(model::TextOf(stored->message)));
      if (!text.empty()) texts_.insert(texts_.begin(), text);
      if (seed == 0) {
        calls = model::ToolCallsOf(stored->message);
        seed = position;
      }
    }
    if (seed == 0) {
      for (const model::Part& part : stored->message.parts) {
        if (const auto* result = std::get_if<model::ToolResult>(&part)) {
          done.insert(result->call_id);
        }
      }
    }
    --position;
  }
  SplitClientCalls(calls);
  tool_round_.Resume(std::move(intended), std::move(done));
  if (calls.empty()) co_return absl::OkStatus();
  co_return co_await tool_round_.Run(std::move(calls), seed);
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
  if (!prepared_) TALON_CO_RETURN_IF_ERROR(Prepare());
  if (run_.recovered && !call_started_) TALON_CO_RETURN_IF_ERROR(co_await Resume());
  if (!answer_.client_calls.empty()) co_return absl::OkStatus();
  const std::uint32_t max_rounds = run_.input.mode == TurnMode::kTask
                                       ? core_.options.max_rounds_task
                                       : core_.options.max_rounds_chat;
  while (true) {
    const bool force = round_ >= max_rounds || loop_guard_.exhausted();
    auto response = co_await AskModel(force);
    TALON_CO_RETURN_IF_ERROR(response.status());
    ++round_;
    std::vector<model::ToolCall> calls = TakeResponse(*std::move(response), force);
    SplitClientCalls(calls);
    if (!calls.empty()) {
      TALON_CO_RETURN_IF_ERROR(co_await tool_round_.Run(std::move(calls), session_.last_seq));
    } else {
      co_return absl::OkStatus();
    }
    if (!answer_.client_calls.empty()) co_return absl::OkStatus();
  }
}

void TurnLoop::AddAnswer(TurnOutcome& outcome) {
  answer_.text = fmt::format("{}", fmt::join(texts_, "\n\n"));
  answer_.rounds = round_;
  if (!answer_.client_calls.empty()) answer_.finish_reason = model::FinishReason::kToolCalls;
  outcome.answer = answer_;
  const std::string encoded = EncodeAnswer(answer_);
  journal::OutboxRecord out;
  out.id = NewOutboxId(core_.deps.ids);
  out.turn = run_.turn;
  out.session = run_.session;
  out.target = "caller";
  out.dedupe_key = run_.turn.str();
  out.payload = encoded;
  out.principal = run_.principal;
  out.label = ContextLabel();
  entry_.outbox.push_back(std::move(out));
  entry_.turn_end = {run_.turn, journal::TurnState::kCompleted, encoded, ""};
}

io::Task<TurnOutcome> TurnLoop::End(absl::Status status) {
  TurnOutcome outcome;
  outcome.turn = run_.turn;
  outcome.session = run_.session;
  outcome.error = status;
  if (store_failed_ || (run_.parked && !status.ok())) {
    outcome.state = journal::TurnState::kRunning;
    co_return outcome;
  }
  if (status.ok()) {
    AddAnswer(outcome);
  } else {
    outcome.state = status.code() == absl::StatusCode::kCancelled ? journal::TurnState::kCancelled
                                                                  : journal::TurnState::kFailed;
    entry_.turn_end = {run_.turn, outcome.state, "", EncodeError(status)};
  }
  AddStep(journal::StepKind::kFinished,
          fmt::format(R"({{"state":"{}"}})", journal::TurnStateName(outcome.state)));
  absl::Status stored = co_await Flush();
  if (!stored.ok()) {
    outcome.state = journal::TurnState::kRunning;
    outcome.error = Annotate(stored, "the answer could not be recorded");
  }
  co_return outcome;
}

ContextReport TurnLoop::Report() const {
  const router::Route& route = chain_.front();
  ContextReport report;
  report.model = route.name();
  report.window = route.limits.context_window;
  report.system_prompt = request_.system;
  report.system_tokens = core_.tokens.EstimateText(route.wire, route.model, request_.system);
  for (const model::ToolDefinition& tool : request_.tools) {
    report.tool_tokens += core_.tokens.EstimateTool(route.wire, route.model, tool);
  }
  for (const model::Message& message : request_.messages) {
    report.message_tokens += core_.tokens.EstimateMessage(route.wire, route.model, message);
  }
  report.tools_shown = request_.tools.size();
  report.tools_listed = core_.deps.catalogue.size();
  return report;
}

io::Task<TurnOutcome> TurnLoop::Run() {
  absl::Status status = co_await RunRounds();
  co_return co_await End(std::move(status));
}

}  // namespace talon::agent
