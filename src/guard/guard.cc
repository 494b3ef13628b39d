// SPDX-License-Identifier: Apache-2.0
#include "guard/guard.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/derived_principal.h"
#include "base/json.h"
#include "base/json_check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/question.h"

namespace talon::guard {
namespace {

constexpr std::size_t kShownName = 80;  // bytes of a name a model made up, in our messages

hook::Decision Block(std::string reason) {
  hook::Decision decision;
  decision.verdict = hook::Verdict::kBlock;
  decision.reason = std::move(reason);
  return decision;
}

std::string Shown(std::string_view name) {
  return SanitizeUntrusted(TruncateUtf8(RepairUtf8(name), kShownName), nullptr);
}

std::string UnknownTool(const tool::Catalogue& catalogue, std::string_view name) {
  const std::vector<std::string> similar = catalogue.Similar(name);
  if (similar.empty()) return fmt::format("tool '{}' is not known", Shown(name));
  return fmt::format("tool '{}' is not known; similar: {}", Shown(name), fmt::join(similar, ", "));
}

const Provenance& NothingKnown() {
  static const Provenance nothing;
  return nothing;
}

// The parts of a result in one text, each already harmless.
struct Body {
  std::string& text;
  HiddenText hidden;
  std::size_t begin = text.size();
  std::size_t strikes = 0;

  void Add(std::string_view heading, std::string_view untrusted) {
    if (TrimSpace(untrusted).empty()) return;
    if (text.size() > begin) text += '\n';
    text += heading;
    strikes += AppendSanitized(untrusted, hidden, text);
  }
  bool empty() const { return text.size() == begin; }
};

}  // namespace

Guard::Guard(const tool::Catalogue& catalogue, GuardOptions options, const Redactor* redactor)
    : catalogue_(catalogue),
      options_(std::move(options)),
      redactor_(redactor),
      policy_(DefaultPolicy()) {}

void Guard::UsePolicy(std::shared_ptr<const Policy> policy) {
  policy_ = std::move(policy);
}

void Guard::UseWorkspace(std::string folder) {
  workspace_ = std::move(folder);
}

void Guard::Judge(const CallRequest& request, CheckedCall& checked) const {
  const auto arguments = ParseJson(checked.arguments, "arguments");
  if (!arguments.ok()) {
    checked.decision = Block("the arguments cannot be read");
    return;
  }
  const Origins origins = request.provenance ? request.provenance : &NothingKnown;
  checked.judgement = JudgeCall({.policy = *policy_,
                                 .spec = checked.entry->tool->spec(),
                                 .provenance = origins,
                                 .context = request.context,
                                 .workspace = workspace_},
                                *arguments);
  if (checked.judgement.answer == Answer::kAllow) return;
  checked.decision.verdict =
      checked.judgement.answer == Answer::kAsk ? hook::Verdict::kAsk : hook::Verdict::kBlock;
  checked.decision.reason = checked.judgement.reason;
}

CheckedCall Guard::CheckCall(const CallRequest& request) const {
  CheckedCall checked;
  const tool::Entry* entry = catalogue_.Find(request.tool);
  if (entry == nullptr || entry->tool == nullptr) {
    checked.decision = Block(UnknownTool(catalogue_, request.tool));
    return checked;
  }
  checked.entry = entry;
  const tool::ToolSpec& spec = entry->tool->spec();
  // Nothing acts by a person's own hand because a person once set it going.
  const bool by_hand = request.from_user && !IsDerived(request.principal);
  if (spec.user_only && !by_hand) {
    checked.decision =
        Block(fmt::format("tool '{}' is for the person, not for a model", spec.name));
    return checked;
  }
  if (request.arguments.size() > options_.max_arguments.value) {
    checked.decision =
        Block(fmt::format("tool '{}': arguments have {} bytes; at most {} are allowed", spec.name,
                          request.arguments.size(), options_.max_arguments.value));
    return checked;
  }
  if (entry->schema == nullptr) {
    checked.decision = Block(fmt::format("tool '{}' has no schema to check by", spec.name));
    return checked;
  }
  if (const absl::Status valid = entry->schema->Validate(request.arguments, &checked.arguments);
      !valid.ok()) {
    checked.arguments.clear();
    checked.decision =
        Block(fmt::format("tool '{}': {}", spec.name, SanitizeUntrusted(Message(valid), nullptr)));
    return checked;
  }
  if (!by_hand) Judge(request, checked);
  return checked;
}

CheckedCall Guard::ExplainCall(const CallRequest& request) const {
  CheckedCall checked = CheckCall(request);
  const bool judged = checked.entry == nullptr || !checked.arguments.empty();
  if (judged || checked.entry->schema == nullptr || checked.entry->tool->spec().user_only ||
      request.arguments.size() > options_.max_arguments.value) {
    return checked;
  }
  const auto arguments = ParseJson(request.arguments, "arguments");
  if (!arguments.ok() || !arguments->is_object()) return checked;
  hook::Decision unfit = std::move(checked.decision);
  checked.arguments = request.arguments;
  Judge(request, checked);
  checked.decision = std::move(unfit);
  return checked;
}

AdmittedResult Guard::AdmitResult(const tool::ToolSpec& spec, std::string_view expected_call_id,
                                  const tool::ToolOutput& output,
                                  std::string_view artifact_handle) const {
  if (expected_call_id.empty() || output.call_id != expected_call_id) {
    return AdmitError(spec, MakeError(absl::StatusCode::kInternal, ErrorReason::kPluginMisbehaved,
                                      fmt::format("plugin '{}' answered '{}' for another call; its "
                                                  "answer was discarded",
                                                  spec.plugin, spec.name)));
  }
  AdmittedResult result;
  result.is_error = !output.error.empty();
  result.label.integrity = policy_->Trusts(spec.name) ? Integrity::kTrusted : Integrity::kUntrusted;
  std::string& text = result.content;
  text.reserve(output.error.size() + output.content.size() + output.content.size() / 32 + 512);
  text = PluginOutputHeader(spec.plugin, spec.name);
  Body body{text, HiddenTextOf(spec)};
  body.Add("error: ", output.error);
  body.Add("", output.content);
  if (!output.structured.empty() && output.structured != output.content) {
    if (IsJsonText(output.structured)) {
      body.Add("structured result:\n", output.structured);
    } else {
      text += fmt::format("{}(a structured result was discarded: it is not valid JSON)",
                          body.empty() ? "" : "\n");
    }
  }
  if (body.empty()) text += "(no output)";
  result.strikes = body.strikes;
  if (redactor_ != nullptr) {
    text.replace(body.begin, std::string::npos,
                 redactor_->Redact(std::string_view(text).substr(body.begin)));
  }
  if (text.size() - body.begin <= options_.max_result.value) {
    text += kPluginOutputEnd;
  } else {
    Cut(spec, body.begin, artifact_handle, result);
  }
  if (options_.mark_blanks) text = MarkBlanks(text);
  return result;
}

// Leaves the head of a text that is too large for the model; the whole becomes the overflow.
void Guard::Cut(const tool::ToolSpec& spec, std::size_t begin, std::string_view artifact_handle,
                AdmittedResult& result) const {
  result.overflow = result.content.substr(begin);
  const std::string_view head = TruncateUtf8(result.overflow, options_.max_result.value);
  // Once more: a cut can leave a shorter word that means something.
  const std::string safe = SanitizeUntrusted(head, nullptr, HiddenTextOf(spec));
  const std::string handle = SanitizeUntrusted(artifact_handle, nullptr);
  result.content = WrapPluginOutput(spec.plugin, spec.name, safe);
  result.content += fmt::format("\n[cut: the first {} of {} bytes are shown; ", head.size(),
                                result.overflow.size());
  result.content +=
      handle.empty()
          ? "the rest was not kept]"
          : fmt::format("read on with artifact__read, handle {}, offset {}]", handle, head.size());
}

HiddenText Guard::HiddenTextOf(const tool::ToolSpec& spec) const {
  const bool verbatim =
      std::ranges::find(options_.verbatim, spec.plugin) != options_.verbatim.end();
  return verbatim ? HiddenText::kKeep : HiddenText::kShow;
}

std::string Guard::AdmitCompensation(const tool::ToolSpec& spec,
                                     const tool::ToolOutput& output) const {
  const std::string& text = output.compensation;
  if (text.empty() || spec.compensation.empty()) return "";
  if (text.size() <= options_.max_compensation.value &&
      (redactor_ == nullptr || redactor_->Redact(text) == text)) {
    if (auto arguments = ParseJson(text, "compensation");
        arguments.ok() && arguments->is_object()) {
      return DumpJson({{"tool", spec.compensation}, {"arguments", *std::move(arguments)}});
    }
  }
  log::Warn("how a call can be undone is not kept: no JSON object, too large, or with a secret",
            {{"plugin", spec.plugin}, {"tool", spec.name}, {"bytes", text.size()}});
  return "";
}

absl::StatusOr<AdmittedQuestion> Guard::AdmitQuestion(tool::Question question) const {
  if (redactor_ != nullptr) {
    for (std::string* part : {&question.text, &question.schema, &question.url}) {
      *part = redactor_->Redact(*part);
    }
  }
  return guard::AdmitQuestion(question, options_);
}

std::string Guard::AdmitProgress(std::string_view text) const {
  // What does not fit is not worth cleaning; a character may grow when it is made harmless.
  text = TruncateUtf8(text, 4 * options_.max_progress.value);
  std::string line = SanitizeUntrusted(
      redactor_ != nullptr ? redactor_->Redact(text) : std::string(text), nullptr);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return std::string(TruncateUtf8(line, options_.max_progress.value));
}

AdmittedResult Guard::AdmitError(const tool::ToolSpec& spec, const absl::Status& error) const {
  AdmittedResult result;
  result.is_error = true;
  result.label.integrity = Integrity::kUntrusted;
  result.reason = ReasonOf(error);
  const std::string message =
      redactor_ != nullptr ? redactor_->Redact(Message(error)) : std::string(Message(error));
  const std::string text = SanitizeUntrusted(TruncateUtf8(message, options_.max_result.value),
                                             &result.strikes, HiddenTextOf(spec));
  result.content = WrapPluginOutput(
      spec.plugin, spec.name,
      fmt::format("error: {}", text.empty() ? std::string_view("the call failed") : text));
  return result;
}

}  // namespace talon::guard
