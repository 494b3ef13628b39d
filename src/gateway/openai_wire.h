// SPDX-License-Identifier: Apache-2.0
// The OpenAI Chat Completions wire, seen from the server: requests to turn inputs, outcomes to
// responses and chunks. Pure functions but the stream format. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/agent.h"
#include "gateway/turn_stream.h"
#include "model/types.h"

namespace talon::gateway {

struct ChatCompletionRequest {
  std::string model;
  std::vector<model::Message> messages;  // without system and developer messages
  std::string instructions;              // those
  std::vector<model::ToolDefinition> tools;
  model::ToolChoice tool_choice = model::ToolChoice::kAuto;
  std::string only_tool;  // the one function tool_choice names; `tools` has only that
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature, top_p;
  std::vector<std::string> stop;
  std::string user;
  model::ReasoningEffort reasoning = model::ReasoningEffort::kDefault;
  std::map<std::string, std::string> extra;  // every other member, as JSON: for passing through
  bool stream = false;
  bool include_usage = false;
  // Of the first tool message whose call is not in this request; it may be in the session.
  absl::Status stray_result;
};

// Errors name the member: "messages[2].content: …".
absl::StatusOr<ChatCompletionRequest> ParseChatCompletion(std::string_view body);

struct CompletionIds {
  std::string id;     // chatcmpl-…
  std::string model;  // as the caller named it
  std::int64_t created = 0;
};

// What only a passed-through answer has.
struct PassedAnswer {
  std::string reasoning;
  std::string logprobs;  // JSON
};

std::string FormatCompletion(const CompletionIds& ids, const agent::TurnAnswer& answer,
                             const PassedAnswer& passed = {});

// Chunks of a streamed completion, ending in "data: [DONE]".
class OpenAiStream : public StreamFormat {
 public:
  OpenAiStream(CompletionIds ids, bool include_usage)
      : ids_(std::move(ids)), include_usage_(include_usage) {}
  std::string Start() override;
  std::string Text(std::string_view delta) override;
  std::string Reasoning(std::string_view delta) override;
  std::string ToolStart(const agent::ToolActivity& activity) override;
  std::string ToolResult(const agent::ToolActivity& activity) override;
  std::string End(const agent::TurnOutcome& outcome) override;
  // JSON, told with the last chunk.
  void SetLogprobs(std::string json) { logprobs_ = std::move(json); }

 private:
  std::string Chunk(std::string_view delta_json, std::string_view finish_json,
                    std::string_view logprobs_json = "") const;
  CompletionIds ids_;
  bool include_usage_;
  std::string logprobs_;
};

}  // namespace talon::gateway
