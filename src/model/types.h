// SPDX-License-Identifier: Apache-2.0
// Provider-neutral chat types, lossless to and from each wire. JSON stays text here: tool arguments
// and schemas are carried as the bytes they came in. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/label.h"

namespace talon::model {

enum class Role { kSystem, kUser, kAssistant, kTool };
std::string_view RoleName(Role role);

struct TextPart {
  std::string text;
  bool operator==(const TextPart&) const = default;
};

// Either inline bytes (base64 as the wire wants it) or a URL.
struct ImagePart {
  std::string media_type;  // image/png …; empty with a URL
  std::string base64;
  std::string url;
  bool operator==(const ImagePart&) const = default;
};

// What a model thought aloud. `signature` and `redacted` are the provider's opaque proof, sent back
// unchanged to the provider named by `provider` and to no other.
struct ReasoningPart {
  std::string text;
  std::string signature;
  std::string redacted;
  std::string provider;
  bool operator==(const ReasoningPart&) const = default;
};

struct ToolCall {
  std::string id;  // the provider's, or made by the adapter where the wire has none
  std::string name;
  std::string arguments;  // JSON object as text; may be malformed when the model wrote it so
  std::string signature;  // opaque, sent back unchanged (Gemini thought signatures)
  bool operator==(const ToolCall&) const = default;
};

struct ToolResult {
  std::string call_id;
  std::string name;
  std::string content;  // already guarded: sanitised and wrapped
  bool is_error = false;
  bool operator==(const ToolResult&) const = default;
};

using Part = std::variant<TextPart, ImagePart, ReasoningPart, ToolCall, ToolResult>;

struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts;
  Label label;  // never sent to a provider
  bool operator==(const Message&) const = default;
};

Message TextMessage(Role role, std::string text, Integrity integrity);
// All text parts, joined by nothing.
std::string TextOf(const Message& message);
std::vector<ToolCall> ToolCallsOf(const Message& message);

struct ToolDefinition {
  std::string name;  // ^[a-zA-Z0-9_-]{1,64}$
  std::string description;
  std::string schema;  // JSON Schema of the arguments object
  bool operator==(const ToolDefinition&) const = default;
};

enum class ToolChoice { kAuto, kNone, kRequired };
enum class ReasoningEffort { kDefault, kOff, kLow, kMedium, kHigh };

inline constexpr std::string_view kReasoningEffort = "reasoning_effort";

struct ChatRequest {
  std::string model;   // the provider's name for it
  std::string system;  // first, stable, cacheable
  std::vector<Message> messages;
  std::vector<ToolDefinition> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::vector<std::string> stop;
  ReasoningEffort reasoning = ReasoningEffort::kDefault;
  bool cache_prefix = true;  // mark system and tools as cacheable where the wire can
  std::string user;          // stable opaque id for the provider's abuse detection; may be empty
  // Members of a Chat Completions request that have no place above, as JSON text: sent as they are
  // on that wire; a wire that cannot do what they ask refuses the request by their name.
  std::map<std::string, std::string> extra;
};

struct Usage {
  std::int64_t input_tokens = 0;         // all of the prompt, cached part included
  std::int64_t output_tokens = 0;        // reasoning included
  std::int64_t cached_input_tokens = 0;  // read from the provider's cache
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  bool operator==(const Usage&) const = default;
};
Usage operator+(const Usage& a, const Usage& b);

enum class FinishReason { kStop, kLength, kToolCalls, kContentFilter };
std::string_view FinishReasonName(FinishReason reason);  // stop, length, tool_calls, content_filter

struct ChatResponse {
  Message message;  // role assistant, integrity untrusted
  FinishReason finish_reason = FinishReason::kStop;
  Usage usage;
  bool usage_reported = false;
  std::string model;        // as the provider named it
  std::string response_id;  // the provider's, may be empty
  std::string logprobs;     // "logprobs" of Chat Completions as JSON; empty unless asked for
};

}  // namespace talon::model
