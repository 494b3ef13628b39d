// SPDX-License-Identifier: Apache-2.0
#include "agent/tool_round.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/advice.h"
#include "agent/approvals.h"
#include "agent/live_call.h"
#include "agent/origins.h"
#include "agent/toolset.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/nursery.h"

namespace talon::agent {
namespace {

constexpr std::size_t kExcerptBytes = 2048;

std::string WithCount(std::string text, int count) {
  if (const auto at = text.find("{count}"); at != std::string::npos) {
    text.replace(at, 7, std::to_string(count));
  }
  return text;
}

absl::Status OutcomeUnknown() {
  return MakeError(absl::StatusCode::kAborted, ErrorReason::kOutcomeUnknown,
                   "outcome unknown: the process ended while this call ran; it was not repeated. "
                   "Check what it did before you do it again, and tell the user");
}

// Whether a call that ended with `error` may have had its effect all the same.
bool MayHaveRun(const absl::Status& error) {
  switch (ReasonOf(error)) {
    case ErrorReason::kPluginCrashed:
    case ErrorReason::kPluginMisbehaved:
      return true;
    default:
      break;
  }
  switch (error.code()) {
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

enum class Fate {
  kRuns,
  kAsks,     // runs once the person approves
  kRefused,  // by the guard, a limit, or the end of the turn: it has not run
  kUnknown,  // it may have run before the process ended, and is not repeated
};

struct ToolRound::Planned {
  model::ToolCall call;
  Fate fate = Fate::kRuns;
  std::shared_ptr<tool::Tool> tool;  // null when no such tool may run
  tool::ToolSpec spec;               // of the tool; a stand-in when there is none
  std::string arguments;             // canonical where the guard allowed the call
  std::string effect_key;
  guard::Judgement judgement;  // why it asks
  std::size_t index = 0;       // in the answer
  bool withheld = false;       // it ran, but what it gave is not shown
  bool intended = false;       // recorded as about to run
  bool open = false;           // it ran and failed so that its effect may have happened
  ArtifactId artifact;
  long duration_ms = 0;
  std::string compensation;  // as of Guard::AdmitCompensation
  guard::AdmittedResult result;
  std::optional<LoopGuard::Seen> seen;  // as the loop guard took it
};

void ToolRound::Resume(const Remains& remains) {
  intended_ = remains.intended;
  done_ = remains.done;
  effects_ = remains.effects;
}

void ToolRound::Refuse(Planned& planned, const absl::Status& why) {
  planned.fate = Fate::kRefused;
  planned.result = core_.deps.guard.AdmitError(planned.spec, why);
  // Our own words about what the model wrote: no worse than what it wrote it from.
  planned.result.label = session_.label;
}

// Of what only reads there is no effect to name.
std::string ToolRound::KeyOf(const Planned& planned, std::int64_t seed) const {
  if (planned.spec.read_only) return "";
  return Sha256Hex(fmt::format("{}|{}|{}|{}|{}", run_.turn.str(), seed, planned.index,
                               planned.spec.name, planned.arguments));
}

guard::CheckedCall ToolRound::Check(const std::string& tool, const std::string& arguments) {
  return core_.deps.guard.CheckCall({.tool = tool,
                                     .arguments = arguments,
                                     .principal = run_.principal,
                                     .context = session_.label,
                                     .from_user = false,
                                     .provenance = [this]() -> const guard::Provenance& {
                                       return OriginsOf(core_, session_, run_);
                                     }});
}

ToolRound::Planned ToolRound::Plan(const model::ToolCall& call, std::int64_t seed,
                                   std::size_t index) {
  Planned planned;
  planned.call = call;
  planned.index = index;
  planned.arguments = call.arguments;
  planned.spec.name = call.name;
  planned.spec.plugin = "talon";
  guard::CheckedCall checked = Check(call.name, call.arguments);
  if (checked.entry != nullptr) planned.spec = checked.entry->tool->spec();
  const hook::Verdict verdict = checked.decision.verdict;
  if (verdict == hook::Verdict::kBlock || checked.entry == nullptr) {
    Refuse(planned, PermissionDenied(checked.decision.reason));
  } else if (index >= core_.options.max_calls_per_round) {
    Refuse(planned, PermissionDenied(fmt::format("not executed: more than {} calls in one answer",
                                                 core_.options.max_calls_per_round)));
  } else {
    planned.tool = checked.entry->tool;
    planned.arguments = std::move(checked.arguments);
    planned.effect_key = KeyOf(planned, seed);
    TakeVerdict(planned, std::move(checked));
  }
  if (auto before = intended_.find(call.id); before != intended_.end()) {
    PlanAgain(before->second, planned);
  }
  return planned;
}

// What was recorded decides, not what the call would be today: its tool, schema or the guard's
// rules may have changed since.
void ToolRound::PlanAgain(const IntendedCall& before, Planned& planned) {
  if (before.read_only) return;
  planned.effect_key = before.effect_key;
  planned.arguments = before.arguments;
  planned.intended = true;
  // What was about to run had been approved, where that was needed.
  if (planned.fate == Fate::kAsks) planned.fate = Fate::kRuns;
  if (planned.fate == Fate::kRuns && planned.spec.idempotent) return;
  planned.fate = Fate::kUnknown;
  planned.spec.read_only = false;
  planned.result = core_.deps.guard.AdmitError(planned.spec, OutcomeUnknown());
}

// What was recorded as about to run was advised before.
io::Task<void> ToolRound::AdviseCall(Planned& planned, std::int64_t seed) {
  constexpr auto kAt = hook::Joinpoint::kToolBeforeCall;
  const bool may_run = planned.fate == Fate::kRuns || planned.fate == Fate::kAsks;
  if (!may_run || planned.intended) co_return;
  const hook::Advice advice =
      co_await Advise(core_, run_, writer_, kAt, planned.spec.name, planned.arguments);
  if (advice.blocks()) co_return Refuse(planned, PermissionDenied(advice.decision.reason));
  if (!advice.rewrites()) co_return;
  guard::CheckedCall checked = Check(planned.spec.name, advice.decision.value);
  if (checked.decision.verdict == hook::Verdict::kBlock) {
    co_return Refuse(planned, PermissionDenied(fmt::format("what a hook made of the call: {}",
                                                           checked.decision.reason)));
  }
  planned.arguments = std::move(checked.arguments);
  planned.effect_key = KeyOf(planned, seed);
  TakeVerdict(planned, std::move(checked));
}

void ToolRound::TakeVerdict(Planned& planned, guard::CheckedCall checked) {
  planned.fate = checked.decision.verdict == hook::Verdict::kAllow ? Fate::kRuns : Fate::kAsks;
  planned.judgement = std::move(checked.judgement);
}

// Ends when it is known whether the call runs; an error when the turn must not go on.
io::Task<absl::Status> ToolRound::Ask(Planned& planned) {
  TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
  TALON_CO_ASSIGN_OR_RETURN(const Permission permission,
                            co_await AskPermission(core_, run_, writer_,
                                                   {.call_id = planned.call.id,
                                                    .tool = planned.spec.name,
                                                    .arguments = planned.arguments,
                                                    .judgement = &planned.judgement}));
  if (permission.granted()) {
    planned.fate = Fate::kRuns;
  } else {
    Refuse(planned, permission.refused);
  }
  co_return absl::OkStatus();
}

// False when nothing of the output may be shown; the result then says why.
io::Task<bool> ToolRound::AdviseResult(Planned& planned, tool::ToolOutput& output) {
  constexpr auto kAt = hook::Joinpoint::kToolResultReceived;
  std::string text = output.error;
  for (const std::string* part : {&output.content, &output.structured}) {
    if (part->empty() || (part == &output.structured && *part == output.content)) continue;
    if (!text.empty()) text += '\n';
    text += *part;
  }
  hook::Advice advice = co_await Advise(core_, run_, writer_, kAt, planned.spec.name, text);
  if (advice.blocks()) {
    planned.withheld = true;
    planned.result =
        core_.deps.guard.AdmitError(planned.spec, PermissionDenied(advice.decision.reason));
    co_return false;
  }
  if (advice.rewrites()) {
    (output.error.empty() ? output.content : output.error) = std::move(advice.decision.value);
    if (!output.error.empty()) output.content.clear();
    output.structured.clear();
  }
  co_return true;
}

void ToolRound::CheckRepeats(Planned& planned) {
  if (planned.fate != Fate::kRuns) return;
  const int repeats = loop_guard_.Repeats(planned.spec.name, planned.arguments);
  if (repeats < LoopGuard::kBlockAt) return;
  loop_guard_.RecordBlocked(planned.spec.name, planned.arguments);
  planned.seen = loop_guard_.last();
  Refuse(planned, PermissionDenied(WithCount(core_.prompts.Get("repeat_block"), repeats)));
}

io::Task<absl::Status> ToolRound::Run(std::vector<model::ToolCall> calls, std::int64_t seed) {
  std::vector<Planned> plan;
  plan.reserve(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!done_.contains(calls[i].id)) plan.push_back(Plan(calls[i], seed, i));
  }
  intended_.clear();
  done_.clear();
  if (IsAdvised(core_, hook::Joinpoint::kToolBeforeCall)) {
    for (Planned& planned : plan) co_await AdviseCall(planned, seed);
  }

  std::size_t next = 0;
  // The next call, when it may join the group that begins with `first`.
  auto joins = [&](const Planned& first) {
    if (!first.spec.read_only || next >= plan.size() || !plan[next].spec.read_only) return false;
    CheckRepeats(plan[next]);
    return plan[next].fate == Fate::kRuns;
  };
  while (next < plan.size()) {
    Planned& first = plan[next];
    if (first.fate == Fate::kAsks) TALON_CO_RETURN_IF_ERROR(co_await Ask(first));
    CheckRepeats(first);
    ++next;
    if (first.fate != Fate::kRuns) {
      // Behind the results before it, which are not stored yet.
      if (!run_.observers.empty()) {
        writer_.ShowLater(TurnWriter::Shown::kStart, StartOf(first));
      }
      Conclude(first);
      continue;
    }
    std::vector<Planned*> group = {&first};
    while (group.size() < core_.options.max_parallel_calls && joins(first)) {
      group.push_back(&plan[next++]);
    }
    TALON_CO_RETURN_IF_ERROR(co_await RunGroup(std::move(group)));
  }
  loop_guard_.EndRound();
  co_return absl::OkStatus();
}

io::Task<absl::Status> ToolRound::RunGroup(std::vector<Planned*> group) {
  TALON_CO_RETURN_IF_ERROR(Alive(run_, core_.deps.clock));
  for (Planned* planned : group) Intend(*planned);
  TALON_CO_RETURN_IF_ERROR(co_await writer_.Flush());
  const absl::Status ended = Alive(run_, core_.deps.clock);
  if (!ended.ok()) {
    for (Planned* planned : group) Refuse(*planned, Annotate(ended, "not executed"));
  } else if (group.size() == 1) {
    co_await Execute(group.front());
  } else {
    io::Nursery nursery(core_.deps.loop);
    for (Planned* planned : group) nursery.Spawn(Execute(planned));
    co_await nursery.Join();
  }
  if (writer_.store_failed()) co_return Unavailable("what a tool asked could not be recorded");
  for (Planned* planned : group) Conclude(*planned);
  co_return Alive(run_, core_.deps.clock);
}

void ToolRound::Intend(Planned& planned) {
  planned.intended = true;
  Json data = {{"call_id", planned.call.id},
               {"tool", planned.spec.name},
               {"arguments", planned.arguments},
               {"effect_key", planned.effect_key},
               {"read_only", planned.spec.read_only}};
  writer_.AddStep(journal::StepKind::kToolIntended, DumpJson(data));
  if (planned.spec.read_only) return;
  effects_ = true;
  WriteEffect(planned, journal::EffectState::kIntended, session_.label);
}

void ToolRound::WriteEffect(const Planned& planned, journal::EffectState state,
                            const Label& label) {
  journal::EffectRecord effect;
  effect.key = planned.effect_key;
  effect.turn = run_.turn;
  effect.call_id = planned.call.id;
  effect.tool = planned.spec.name;
  effect.effect_class = tool::EffectClassName(planned.spec.effect);
  effect.state = state;
  if (state == journal::EffectState::kDone && !planned.compensation.empty()) {
    effect.result = fmt::format(R"({{"compensation":{}}})", planned.compensation);
  }
  effect.principal = run_.principal;
  effect.label = label;
  writer_.entry().effects.push_back(std::move(effect));
}

ToolActivity ToolRound::StartOf(const Planned& planned) {
  ToolActivity activity;
  activity.call_id = planned.call.id;
  activity.tool = planned.spec.name;
  activity.arguments = TruncateUtf8(planned.arguments, kExcerptBytes);
  return activity;
}

void ToolRound::ShowStart(const Planned& planned) {
  if (run_.observers.empty()) return;
  const ToolActivity activity = StartOf(planned);
  for (TurnObserver* observer : run_.observers) observer->OnToolStart(activity);
}

void ToolRound::ShowResult(const Planned& planned) {
  if (run_.observers.empty()) return;
  ToolActivity activity = StartOf(planned);
  activity.result = TruncateUtf8(planned.result.content, kExcerptBytes);
  activity.is_error = planned.result.is_error;
  activity.duration_ms = planned.duration_ms;
  writer_.ShowLater(TurnWriter::Shown::kResult, std::move(activity));
}

// An exception here must not end the process, and every other turn with it.
io::Task<void> ToolRound::Execute(Planned* planned) {
  std::string what = "something that is no std::exception";
  try {
    co_await Attempt(planned);
    co_return;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  log::Error("a tool call threw an exception",
             {{"tool", planned->spec.name}, {"turn_id", run_.turn.str()}, {"what", what}});
  planned->result = core_.deps.guard.AdmitError(
      planned->spec, Internal("an error within talon; the log tells more"));
  TellOpen(*planned, /*open=*/true);
}

void ToolRound::TellOpen(Planned& planned, bool open) {
  planned.open = open && !planned.spec.read_only;
  if (planned.open) planned.result.content += "\n" + core_.prompts.Get("open_outcome");
}

io::Task<void> ToolRound::Attempt(Planned* planned) {
  const SteadyTime started = core_.deps.clock.SteadyNow();
  planned->artifact = NewArtifactId(core_.deps.ids);
  ShowStart(*planned);
  const auto timeout = planned->spec.timeout.count() > 0 ? planned->spec.timeout
                                                         : core_.deps.guard.options().tool_timeout;
  LiveCall live(core_, run_, writer_, planned->spec, planned->call.id, started + timeout);
  tool::Invocation invocation{.call_id = planned->call.id,
                              .tool = planned->spec.name,
                              .arguments = planned->arguments,
                              .idempotency_key = planned->spec.read_only ? "" : planned->effect_key,
                              .session = run_.session,
                              .events = &live};
  auto output = co_await planned->tool->Execute(std::move(invocation), live.context());
  planned->duration_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(core_.deps.clock.SteadyNow() - started)
          .count();
  if (output.ok()) {
    planned->compensation = core_.deps.guard.AdmitCompensation(planned->spec, *output);
  }
  const bool advised = output.ok() && IsAdvised(core_, hook::Joinpoint::kToolResultReceived);
  if (advised && !co_await AdviseResult(*planned, *output)) {
    // Its result is made.
  } else if (output.ok()) {
    planned->result = core_.deps.guard.AdmitResult(planned->spec, planned->call.id, *output,
                                                   planned->artifact.str());
    // Of the model's own words, like a refusal: nothing from outside is in it.
    if (planned->spec.name == kLoadToolsName && !advised) planned->result.label = session_.label;
    TellOpen(*planned, planned->result.reason == ErrorReason::kPluginMisbehaved);
  } else {
    log::Warn("tool call failed", {{"tool", planned->spec.name},
                                   {"turn_id", run_.turn.str()},
                                   {"duration_ms", planned->duration_ms},
                                   {"status", absl::StatusCodeToString(output.status().code())}});
    planned->result = core_.deps.guard.AdmitError(planned->spec, output.status());
    TellOpen(*planned, MayHaveRun(output.status()));
  }
}

void ToolRound::Conclude(Planned& planned) {
  guard::AdmittedResult& result = planned.result;
  if (planned.fate == Fate::kRuns) {
    const bool again =
        loop_guard_.Record(planned.spec.name, planned.arguments, result.content, result.is_error);
    if (again) result.content += "\n" + core_.prompts.Get("repeat_warning");
    planned.seen = loop_guard_.last();
  }
  const auto state = planned.fate == Fate::kUnknown || planned.open ? journal::EffectState::kUnknown
                     : result.is_error && !planned.withheld         ? journal::EffectState::kFailed
                                                                    : journal::EffectState::kDone;
  if (planned.intended && !planned.spec.read_only) {
    WriteEffect(planned, state, result.label);
  }
  Json data = {
      {"call_id", planned.call.id},
      {"tool", planned.spec.name},
      {"is_error", result.is_error},
      {"outcome", planned.fate == Fate::kRefused ? "refused" : journal::EffectStateName(state)},
      {"duration_ms", planned.duration_ms}};
  if (planned.seen) {
    data["seen"] = {planned.seen->call, planned.seen->result, planned.seen->progress};
  }
  writer_.AddStep(journal::StepKind::kToolFinished, DumpJson(data));
  ShowResult(planned);
  if (!result.overflow.empty()) {
    journal::ArtifactRecord artifact;
    artifact.id = planned.artifact;
    artifact.session = run_.session;
    artifact.turn = run_.turn;
    artifact.media_type = "text/plain; charset=utf-8";
    artifact.content = std::move(result.overflow);
    artifact.label = result.label;
    artifact.principal = run_.principal;
    writer_.entry().artifacts.push_back(std::move(artifact));
  }
  model::Message message;
  message.role = model::Role::kTool;
  message.label = result.label;
  message.parts.push_back(model::ToolResult{.call_id = planned.call.id,
                                            .name = planned.call.name,
                                            .content = std::move(result.content),
                                            .is_error = result.is_error});
  writer_.AddMessage(std::move(message));
}

}  // namespace talon::agent
