// SPDX-License-Identifier: Apache-2.0
#include "model/google/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "model/json_text.h"

namespace talon::model {
namespace {

constexpr auto kFilterReasons = std::to_array<std::string_view>(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
     "IMAGE_PROHIBITED_CONTENT", "LANGUAGE"});

}  // namespace

std::optional<Fault> GoogleReader::Read(const Json& document, Answer& answer) {
  if (document.is_array()) {  // what streamGenerateContent sends without alt=sse
    for (const Json& one : document) {
      if (!one.is_object()) continue;
      if (auto fault = Read(one, answer)) return fault;
    }
    return std::nullopt;
  }
  answer.SetIdentity(TextAt(document, "responseId"), TextAt(document, "modelVersion"));
  if (const Json* usage = JsonFind(document, "usageMetadata")) ReadUsage(*usage, answer);
  const Json* feedback = JsonFind(document, "promptFeedback");
  if (feedback != nullptr && !TextAt(*feedback, "blockReason").empty()) {
    Fault fault;
    fault.reason = ErrorReason::kContentFiltered;
    fault.message = fmt::format("the prompt was blocked: {} {}", TextAt(*feedback, "blockReason"),
                                TextAt(*feedback, "blockReasonMessage"));
    return fault;
  }
  const Json* candidates = JsonFind(document, "candidates");
  if (candidates == nullptr || !candidates->is_array()) return std::nullopt;
  for (const Json& candidate : *candidates) {
    if (!candidate.is_object() || JsonInt(candidate, "index") != 0) continue;
    const Json* content = JsonFind(candidate, "content");
    const Json* parts = content == nullptr ? nullptr : JsonFind(*content, "parts");
    if (parts != nullptr && parts->is_array()) {
      for (const Json& part : *parts) ReadPart(part, answer);
    }
    std::string_view reason = TextAt(candidate, "finishReason");
    if (reason.empty() || reason == "FINISH_REASON_UNSPECIFIED") continue;
    if (auto fault = ReadFinish(reason, answer)) return fault;
  }
  return std::nullopt;
}

void GoogleReader::ReadPart(const Json& part, Answer& answer) {
  std::string_view signature = TextAt(part, "thoughtSignature");
  const Json* call = JsonFind(part, "functionCall");
  if (call != nullptr && call->is_object()) {
    int position = answer.BeginCall();
    if (position == Answer::kNoCall) return;
    answer.SetCallSignature(position, signature);
    answer.SetCallName(position, TextAt(*call, "name"));
    const Json* args = JsonFind(*call, "args");
    if (args != nullptr && args->is_object()) answer.AddCallArguments(position, DumpJson(*args));
    return;
  }
  if (JsonBool(part, "thought")) {
    answer.AddReasoning(TextAt(part, "text"));
  } else {
    answer.AddText(TextAt(part, "text"));
  }
  answer.SignReasoning(signature);
}

void GoogleReader::ReadUsage(const Json& json, Answer& answer) {
  if (!json.is_object()) return;
  Usage usage;
  usage.reasoning_tokens = CountAt(json, "thoughtsTokenCount");
  usage.input_tokens = CountAt(json, "promptTokenCount") + CountAt(json, "toolUsePromptTokenCount");
  usage.output_tokens = CountAt(json, "candidatesTokenCount") + usage.reasoning_tokens;
  usage.cached_input_tokens = CountAt(json, "cachedContentTokenCount");
  answer.SetUsage(usage);
}

std::optional<Fault> GoogleReader::ReadFinish(std::string_view reason, Answer& answer) {
  if (reason == "MAX_TOKENS") {
    answer.Finish(FinishReason::kLength);
  } else if (std::find(kFilterReasons.begin(), kFilterReasons.end(), reason) !=
             kFilterReasons.end()) {
    answer.Finish(FinishReason::kContentFilter);
  } else if (reason == "MISSING_THOUGHT_SIGNATURE") {
    Fault fault;
    fault.reason = ErrorReason::kBadRequest;
    fault.message = "finishReason MISSING_THOUGHT_SIGNATURE";
    return fault;
  } else {
    // STOP, OTHER, and MALFORMED_FUNCTION_CALL, whose empty answer the caller repairs.
    answer.Finish(FinishReason::kStop);
  }
  return std::nullopt;
}

}  // namespace talon::model
