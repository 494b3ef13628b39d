// SPDX-License-Identifier: Apache-2.0
#include "model/types.h"

namespace talon::model {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "unknown";
}

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kToolCalls:
      return "tool_calls";
    case FinishReason::kContentFilter:
      return "content_filter";
  }
  return "unknown";
}

Message TextMessage(Role role, std::string text, Integrity integrity) {
  Message message;
  message.role = role;
  message.parts.emplace_back(TextPart{std::move(text)});
  message.label.integrity = integrity;
  return message;
}

std::string TextOf(const Message& message) {
  std::string text;
  for (const Part& part : message.parts) {
    if (const auto* piece = std::get_if<TextPart>(&part)) text += piece->text;
  }
  return text;
}

std::vector<ToolCall> ToolCallsOf(const Message& message) {
  std::vector<ToolCall> calls;
  for (const Part& part : message.parts) {
    if (const auto* call = std::get_if<ToolCall>(&part)) calls.push_back(*call);
  }
  return calls;
}

Usage operator+(const Usage& a, const Usage& b) {
  return {.input_tokens = a.input_tokens + b.input_tokens,
          .output_tokens = a.output_tokens + b.output_tokens,
          .cached_input_tokens = a.cached_input_tokens + b.cached_input_tokens,
          .cache_write_tokens = a.cache_write_tokens + b.cache_write_tokens,
          .reasoning_tokens = a.reasoning_tokens + b.reasoning_tokens};
}

}  // namespace talon::model
