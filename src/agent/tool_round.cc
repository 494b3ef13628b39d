// SPDX-License-Identifier: Apache-2.0
#include "agent/tool_round.h"

#include <nlohmann/json.hpp>

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

std::string WithCount(std::string text, std::size_t count) {
  if (const auto at = text.find("{count}"); at != std::string::npos) {
    text.replace(at, 7, std::to_string(count));
  }
  return text;
}

}  // namespace

struct ToolRound::Planned {
  model::ToolCall call;
  std::shared_ptr<tool::Tool> tool;  // null when the call must not run
  tool::ToolSpec spec;               // of the tool; a stand-in when there is none
  std::string arguments;
  std::string effect_key;
  ArtifactId artifact;
  SteadyTime started;
  long duration_ms = 0;
  bool runs = false;
  bool intended_before = false;
  bool unknown_outcome = false;
  guard::AdmittedResult result;
};

ToolRound::Planned ToolRound::Plan(const model::ToolCall& call, std::int64_t seed,
                                   std::size_t index) {
  Planned planned;
  planned.call = call;
  planned.arguments = call.arguments;
  planned.spec.name = call.name;
  planned.spec.plugin = "talon";
  guard::CheckedCall checked = core_.deps.guard.CheckCall({.tool = call.name,
                                                           .arguments = call.arguments,
                                                           .principal = run_.principal,
                                                           .context = hooks_.label(),
                                                           .from_user = false});
  if (checked.entry != nullptr) planned.spec = checked.entry->tool->spec();
  auto refuse = [&](std::string_view why) {
    planned.result = core_.deps.guard.AdmitError(planned.spec, PermissionDenied(why));
  };
  if (checked.decision.verdict != guard::Verdict::kAllow || checked.entry == nullptr) {
    refuse(checked.decision.reason);
    return planned;
  }
  if (index >= core_.options.max_calls_per_round) {
    refuse(fmt::format("not executed: more than {} calls in one answer",
                       core_.options.max_calls_per_round));
    return planned;
  }
  planned.tool = checked.entry->tool;
  planned.arguments = std::move(checked.arguments);
  planned.effect_key = Sha256Hex(fmt::format("{}|{}|{}|{}|{}", run_.turn.str(), seed, index,
                                             planned.spec.name, planned.arguments));
  planned.intended_before = intended_.contains(planned.effect_key);
  const int repeats = loop_guard_.Repeats(planned.spec.name, planned.arguments);
  if (repeats >= LoopGuard::kBlockAt) {
    refuse(WithCount(core_.prompts.Get("repeat_block"), static_cast<std::size_t>(repeats)));
    loop_guard_.RecordBlocked(planned.spec.name, planned.arguments);
    return planned;
  }
  if (planned.intended_before && !planned.spec.read_only && !planned.spec.idempotent) {
    planned.unknown_outcome = true;
    planned.result = core_.deps.guard.AdmitError(
        planned.spec,
        MakeError(absl::StatusCode::kAborted, ErrorReason::kOutcomeUnknown,
                  "outcome unknown: the process ended while this call ran; it was not repeated. "
                  "Check what it did before you do it again, and tell the user"));
    return planned;
  }
  planned.runs = true;
  return planned;
}

io::Task<absl::Status> ToolRound::Run(std::vector<model::ToolCall> calls, std::int64_t seed) {
  std::vector<Planned> plan;
  plan.reserve(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!done_.contains(calls[i].id)) plan.push_back(Plan(calls[i], seed, i));
  }
  intended_.clear();
  done_.clear();

  std::size_t next = 0;
  while (next < plan.size()) {
    if (!plan[next].runs) {
      Conclude(plan[next++]);
      continue;
    }
    std::vector<Planned*> group = {&plan[next++]};
    while (group.front()->spec.read_only && next < plan.size() && plan[next].runs &&
           plan[next].spec.read_only && group.size() < core_.options.max_parallel_calls) {
      group.push_back(&plan[next++]);
    }
    TALON_CO_RETURN_IF_ERROR(co_await RunGroup(std::move(group)));
  }
  loop_guard_.EndRound();
  co_return absl::OkStatus();
}

io::Task<absl::Status> ToolRound::RunGroup(std::vector<Planned*> group) {
  for (const Planned* planned : group) Intend(*planned);
  TALON_CO_RETURN_IF_ERROR(co_await hooks_.flush());
  if (group.size() == 1) {
    co_await Execute(group.front());
  } else {
    io::Nursery nursery(core_.deps.loop);
    for (Planned* planned : group) nursery.Spawn(Execute(planned));
    co_await nursery.Join();
  }
  for (Planned* planned : group) Conclude(*planned);
  co_return hooks_.context().cancel.status();
}

void ToolRound::Intend(const Planned& planned) {
  Json data = {{"call_id", planned.call.id},
               {"tool", planned.spec.name},
               {"arguments", planned.arguments},
               {"effect_key", planned.effect_key}};
  hooks_.add_step(journal::StepKind::kToolIntended, DumpJson(data));
  if (planned.spec.read_only) return;
  journal::EffectRecord effect;
  effect.key = planned.effect_key;
  effect.turn = run_.turn;
  effect.call_id = planned.call.id;
  effect.tool = planned.spec.name;
  effect.effect_class = tool::EffectClassName(planned.spec.effect);
  effect.principal = run_.principal;
  effect.label = hooks_.label();
  hooks_.entry().effects.push_back(std::move(effect));
}

io::Task<void> ToolRound::Execute(Planned* planned) {
  planned->started = core_.deps.clock.SteadyNow();
  planned->artifact = NewArtifactId(core_.deps.ids);
  ToolActivity activity{.call_id = planned->call.id,
                        .tool = planned->spec.name,
                        .arguments = std::string(TruncateUtf8(planned->arguments, kExcerptBytes)),
                        .result = "",
                        .is_error = false,
                        .duration_ms = 0};
  for (TurnObserver* observer : run_.observers) observer->OnToolStart(activity);
  const auto timeout = planned->spec.timeout.count() > 0 ? planned->spec.timeout
                                                         : core_.deps.guard.options().tool_timeout;
  tool::Invocation invocation{.call_id = planned->call.id,
                              .tool = planned->spec.name,
                              .arguments = planned->arguments,
                              .idempotency_key = planned->spec.read_only ? "" : planned->effect_key,
                              .session = run_.session};
  auto output = co_await planned->tool->Execute(std::move(invocation),
                                                hooks_.context().Until(planned->started + timeout));
  planned->duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                             core_.deps.clock.SteadyNow() - planned->started)
                             .count();
  if (output.ok()) {
    planned->result = core_.deps.guard.AdmitResult(planned->spec, planned->call.id, *output,
                                                   planned->artifact.str());
  } else {
    log::Warn("tool call failed", {{"tool", planned->spec.name},
                                   {"turn_id", run_.turn.str()},
                                   {"duration_ms", planned->duration_ms},
                                   {"status", absl::StatusCodeToString(output.status().code())}});
    planned->result = core_.deps.guard.AdmitError(planned->spec, output.status());
  }
  activity.result = std::string(TruncateUtf8(planned->result.content, kExcerptBytes));
  activity.is_error = planned->result.is_error;
  activity.duration_ms = planned->duration_ms;
  for (TurnObserver* observer : run_.observers) observer->OnToolResult(activity);
}

void ToolRound::Conclude(Planned& planned) {
  if (planned.runs && loop_guard_.Record(planned.spec.name, planned.arguments,
                                         planned.result.content, planned.result.is_error)) {
    planned.result.content += "\n" + core_.prompts.Get("repeat_warning");
  }
  if (planned.runs || planned.unknown_outcome) {
    const auto state = planned.unknown_outcome   ? journal::EffectState::kUnknown
                       : planned.result.is_error ? journal::EffectState::kFailed
                                                 : journal::EffectState::kDone;
    if (!planned.spec.read_only) {
      journal::EffectRecord effect;
      effect.key = planned.effect_key;
      effect.turn = run_.turn;
      effect.call_id = planned.call.id;
      effect.tool = planned.spec.name;
      effect.effect_class = tool::EffectClassName(planned.spec.effect);
      effect.state = state;
      effect.principal = run_.principal;
      effect.label = planned.result.label;
      hooks_.entry().effects.push_back(std::move(effect));
    }
    Json data = {{"call_id", planned.call.id},
                 {"tool", planned.spec.name},
                 {"is_error", planned.result.is_error},
                 {"outcome", journal::EffectStateName(state)},
                 {"duration_ms", planned.duration_ms}};
    hooks_.add_step(journal::StepKind::kToolFinished, DumpJson(data));
  }
  if (!planned.result.overflow.empty()) {
    journal::ArtifactRecord artifact;
    artifact.id = planned.artifact;
    artifact.session = run_.session;
    artifact.turn = run_.turn;
    artifact.media_type = "text/plain; charset=utf-8";
    artifact.content = std::move(planned.result.overflow);
    artifact.label = planned.result.label;
    artifact.principal = run_.principal;
    hooks_.entry().artifacts.push_back(std::move(artifact));
  }
  model::Message message;
  message.role = model::Role::kTool;
  message.label = planned.result.label;
  message.parts.push_back(model::ToolResult{.call_id = planned.call.id,
                                            .name = planned.call.name,
                                            .content = std::move(planned.result.content),
                                            .is_error = planned.result.is_error});
  hooks_.add_message(std::move(message));
}

}  // namespace talon::agent
