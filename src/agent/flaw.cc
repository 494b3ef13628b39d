// SPDX-License-Identifier: Apache-2.0
#include "agent/flaw.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::agent {
namespace {

constexpr std::size_t kShownBytes = 200;  // of a model's words in a record

std::string Shown(std::string_view text) {
  return std::string(TruncateUtf8(RepairUtf8(text), kShownBytes));
}

}  // namespace

std::optional<Flaw> FindFlaw(const model::ChatResponse& response) {
  if (response.finish_reason == model::FinishReason::kContentFilter) return std::nullopt;
  bool calls = false;
  for (const model::Part& part : response.message.parts) {
    const auto* call = std::get_if<model::ToolCall>(&part);
    if (call == nullptr) continue;
    calls = true;
    const auto arguments = ParseJson(call->arguments, "arguments");
    if (arguments.ok() && arguments->is_object()) continue;
    return Flaw{.kind = kMalformedCall,
                .tool = Shown(call->name),
                .problem = Shown(arguments.ok() ? "arguments: not a JSON object"
                                                : Message(arguments.status()))};
  }
  if (calls || !TrimSpace(model::TextOf(response.message)).empty()) return std::nullopt;
  return Flaw{.kind = kEmptyAnswer, .tool = "", .problem = ""};
}

}  // namespace talon::agent
