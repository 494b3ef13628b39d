// SPDX-License-Identifier: Apache-2.0
// Extension point: language models. A plugin that also derives from ModelProvider makes its models
// the daemon's own: `models.providers.<name>: {api: plugin, plugin: <plugin>}`. They are routed,
// retried and counted as any other.
//
//   class Echo : public Plugin, public ModelProvider {
//    public:
//     Echo() : Plugin({.name = "echo", …}), ModelProvider({{.id = "echo-1", .tools = true}}) {}
//     absl::StatusOr<ChatAnswer> Complete(const ChatRequest& request, const CallInfo& call,
//                                         ChatSink& sink) override {
//       sink.Text("hello");
//       return ChatAnswer{.parts = {ChatText{"hello"}}};
//     }
//   };
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct ModelSpec {
  std::string id;                      // as the operator writes it behind "<provider>/"
  std::int64_t context_window = 0;     // tokens; 0 = not known
  std::int64_t max_output_tokens = 0;  // 0 = not known
  bool tools = false;                  // it can call tools
  bool images = false;                 // it reads images
};

struct ChatText {
  std::string text;
};

// Bytes with their type, or a URL.
struct ChatImage {
  std::string media_type;
  std::string data;
  std::string url;
};

// What a model thought aloud. `signature` and `redacted` come back unchanged with the conversation.
struct ChatReasoning {
  std::string text;
  std::string signature;
  std::string redacted;
};

struct ChatToolCall {
  std::string id;  // empty: the daemon makes one
  std::string name;
  std::string arguments_json;
  std::string signature;  // comes back unchanged
};

struct ChatToolResult {
  std::string call_id;
  std::string name;
  std::string content;
  bool is_error = false;
};

using ChatPart = std::variant<ChatText, ChatImage, ChatReasoning, ChatToolCall, ChatToolResult>;

enum class ChatRole { kUser, kAssistant, kTool, kSystem };

struct ChatMessage {
  ChatRole role = ChatRole::kUser;
  std::vector<ChatPart> parts;
};

struct ChatTool {
  std::string name;
  std::string description;
  std::string schema_json;  // JSON Schema of the arguments
};

enum class ChatToolChoice { kAuto, kNone, kRequired };

struct ChatRequest {
  std::string model;
  std::string system;  // comes first, the same at every turn
  std::vector<ChatMessage> messages;
  std::vector<ChatTool> tools;
  ChatToolChoice tool_choice = ChatToolChoice::kAuto;
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::vector<std::string> stop;
  std::string reasoning_effort;  // "", "off", "low", "medium", "high"
  std::string user;              // stable opaque id of the person; may be empty
};

enum class ChatFinish { kStop, kLength, kToolCalls, kContentFilter };

struct ChatUsage {
  std::int64_t input_tokens = 0;         // all of the prompt, cached parts included
  std::int64_t output_tokens = 0;        // reasoning included
  std::int64_t cached_input_tokens = 0;  // read from a cache
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
};

// The whole answer, also of what went to the sink before.
struct ChatAnswer {
  std::vector<ChatPart> parts;  // text, reasoning and tool calls
  ChatFinish finish = ChatFinish::kStop;
  std::optional<ChatUsage> usage = {};
  std::string model = {};        // as the provider names it; empty = as asked for
  std::string response_id = {};  // the provider's
};

// Shows an answer while it is written; calls wait while the reader is slow. Whole characters only.
class ChatSink {
 public:
  virtual ~ChatSink() = default;
  virtual void Text(std::string_view text) = 0;
  virtual void Reasoning(std::string_view text) = 0;
  // A call is known by name before its arguments are.
  virtual void ToolCall(std::string_view id, std::string_view name) = 0;
};

class ModelProvider {
 public:
  // Without models any id is taken.
  explicit ModelProvider(std::vector<ModelSpec> models = {}) : models_(std::move(models)) {}
  virtual ~ModelProvider() = default;

  // Several run at once. Errors decide what the daemon does: UNAUTHENTICATED (the credential),
  // RESOURCE_EXHAUSTED (rate limit or quota), UNAVAILABLE (overloaded, it tries again),
  // OUT_OF_RANGE (the prompt is too long, it shortens it), INVALID_ARGUMENT, PERMISSION_DENIED
  // (content filtered). After the first word shown nothing is tried again.
  virtual absl::StatusOr<ChatAnswer> Complete(const ChatRequest& request, const CallInfo& call,
                                              ChatSink& sink) = 0;

  const std::vector<ModelSpec>& models() const { return models_; }

 private:
  const std::vector<ModelSpec> models_;
};

}  // namespace talon::sdk
