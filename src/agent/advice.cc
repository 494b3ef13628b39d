// SPDX-License-Identifier: Apache-2.0
#include "agent/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::agent {
namespace {

std::string_view VerdictName(hook::Verdict verdict) {
  switch (verdict) {
    case hook::Verdict::kBlock:
      return "block";
    case hook::Verdict::kRewrite:
      return "rewrite";
    default:
      return "allow";
  }
}

// Asks of a text and puts in its place what comes back.
io::Task<absl::Status> AdviseText(Core& core, TurnRun& run, TurnWriter& writer, hook::Joinpoint at,
                                  std::string_view what, std::string* text) {
  if (TrimSpace(*text).empty()) co_return absl::OkStatus();
  hook::Advice advice = co_await Advise(core, run, writer, at, "", *text);
  if (advice.blocks()) {
    co_return PermissionDenied(fmt::format("the {} was refused: {}", what, advice.decision.reason));
  }
  if (!advice.rewrites()) co_return absl::OkStatus();
  if (TrimSpace(advice.decision.value).empty()) {
    co_return PermissionDenied(fmt::format("the {} was refused: a hook left nothing of it", what));
  }
  *text = std::move(advice.decision.value);
  co_return absl::OkStatus();
}

void ReplaceText(model::Message& message, std::string text) {
  auto is_text = [](const model::Part& part) {
    return std::holds_alternative<model::TextPart>(part);
  };
  const auto first = std::ranges::find_if(message.parts, is_text);
  *first = model::TextPart{std::move(text)};
  message.parts.erase(std::remove_if(first + 1, message.parts.end(), is_text), message.parts.end());
}

// What a hook says is not the person's word: the operator trusts it, and no more.
void TakeRewritten(TurnRun& run, model::Message& message, std::string_view before,
                   std::string text) {
  if (message.label.integrity <= Integrity::kUser) run.own_words.append(before) += '\n';
  message.label = Join(message.label, {.integrity = Integrity::kTrusted, .readers = {}});
  ReplaceText(message, std::move(text));
}

}  // namespace

bool IsAdvised(const Core& core, hook::Joinpoint at) {
  return core.deps.hooks != nullptr && core.deps.hooks->Any(at);
}

io::Task<hook::Advice> Advise(Core& core, TurnRun& run, TurnWriter& writer, hook::Joinpoint at,
                              std::string tool, std::string value) {
  hook::Moment moment{
      .at = at, .session = run.session, .turn = run.turn, .tool = tool, .value = std::move(value)};
  hook::Advice advice = co_await core.deps.hooks->Ask(std::move(moment), ContextOf(run));
  for (const hook::Remark& remark : advice.remarks) {
    Json data = {{"hook", remark.adviser},
                 {"joinpoint", hook::JoinpointName(at)},
                 {"verdict", VerdictName(remark.decision.verdict)}};
    if (!tool.empty()) data["tool"] = tool;
    if (!remark.decision.reason.empty()) data["reason"] = remark.decision.reason;
    if (!remark.decision.notes.empty()) data["notes"] = remark.decision.notes;
    writer.AddStep(journal::StepKind::kAdvice, DumpJson(data));
  }
  co_return advice;
}

io::Task<absl::Status> AdviseInput(Core& core, TurnRun& run, TurnWriter& writer, bool begun) {
  constexpr auto kAt = hook::Joinpoint::kInputReceived;
  if (!IsAdvised(core, kAt)) co_return absl::OkStatus();
  const std::string instructions = run.input.instructions;
  TALON_CO_RETURN_IF_ERROR(
      co_await AdviseText(core, run, writer, kAt, "instructions", &run.input.instructions));
  run.advised_instructions = run.input.instructions != instructions;
  if (begun) co_return absl::OkStatus();
  for (model::Message& message : run.input.messages) {
    if (message.role != model::Role::kUser) continue;
    std::string text = model::TextOf(message);
    const std::string before = text;
    TALON_CO_RETURN_IF_ERROR(co_await AdviseText(core, run, writer, kAt, "message", &text));
    if (text != before) TakeRewritten(run, message, before, std::move(text));
  }
  co_return absl::OkStatus();
}

io::Task<absl::Status> AdviseResponse(Core& core, TurnRun& run, TurnWriter& writer,
                                      model::Message& message) {
  constexpr auto kAt = hook::Joinpoint::kResponseBeforeFinal;
  if (!IsAdvised(core, kAt)) co_return absl::OkStatus();
  std::string text = model::TextOf(message);
  const std::string before = text;
  TALON_CO_RETURN_IF_ERROR(co_await AdviseText(core, run, writer, kAt, "answer", &text));
  if (text != before) ReplaceText(message, std::move(text));
  co_return absl::OkStatus();
}

}  // namespace talon::agent
