// SPDX-License-Identifier: Apache-2.0
#include "agent/turn_codec.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "model/codec.h"

namespace talon::agent {
namespace {

constexpr int kLastReason = static_cast<int>(ErrorReason::kUnknownModel);
constexpr int kLastChoice = static_cast<int>(model::ToolChoice::kRequired);
constexpr int kLastEffort = static_cast<int>(model::ReasoningEffort::kHigh);
constexpr int kLastFinish = static_cast<int>(model::FinishReason::kContentFilter);

// The member as a number from 0 to `last`, else 0.
long IntWithin(const Json& json, std::string_view key, int last) {
  const long value = JsonInt(json, key);
  return value < 0 || value > last ? 0 : value;
}

absl::StatusOr<Json> ParseObject(std::string_view json, std::string_view what) {
  TALON_ASSIGN_OR_RETURN(Json value, ParseJson(json, what));
  if (!value.is_object()) return InvalidArgument(fmt::format("{}: not an object", what));
  return value;
}

Json CallsToJson(const std::vector<model::ToolCall>& calls) {
  Json list = Json::array();
  for (const model::ToolCall& call : calls) {
    list.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  return list;
}

}  // namespace

std::string EncodeInput(const TurnInput& input) {
  Json json;
  Json& messages = json["messages"] = Json::array();
  for (const model::Message& message : input.messages) {
    messages.push_back({{"message", model::EncodeMessage(message)},
                        {"integrity", IntegrityName(message.label.integrity)},
                        {"readers", ReadersToText(message.label)}});
  }
  if (!input.model.empty()) json["model"] = input.model;
  if (input.mode == TurnMode::kTask) json["mode"] = "task";
  if (input.approvals == Approvals::kWait) json["approvals"] = "wait";
  if (!input.instructions.empty()) json["instructions"] = input.instructions;
  for (const model::ToolDefinition& tool : input.client_tools) {
    json["client_tools"].push_back(
        {{"name", tool.name}, {"description", tool.description}, {"schema", tool.schema}});
  }
  if (input.tool_choice != model::ToolChoice::kAuto) {
    json["tool_choice"] = static_cast<int>(input.tool_choice);
  }
  if (!input.only_tool.empty()) json["only_tool"] = input.only_tool;
  if (input.max_output_tokens) json["max_output_tokens"] = *input.max_output_tokens;
  if (input.temperature) json["temperature"] = *input.temperature;
  if (input.top_p) json["top_p"] = *input.top_p;
  if (!input.stop.empty()) json["stop"] = input.stop;
  if (input.reasoning != model::ReasoningEffort::kDefault) {
    json["reasoning"] = static_cast<int>(input.reasoning);
  }
  if (!input.extra.empty()) json["extra"] = input.extra;
  if (!input.reply_to.empty()) json["reply_to"] = input.reply_to;
  return DumpJson(json);
}

absl::StatusOr<TurnInput> DecodeInput(std::string_view text) {
  TALON_ASSIGN_OR_RETURN(Json json, ParseObject(text, "turn input"));
  TurnInput input;
  if (const Json* messages = JsonFind(json, "messages"); messages && messages->is_array()) {
    for (const Json& item : *messages) {
      TALON_ASSIGN_OR_RETURN(model::Message message,
                             model::DecodeMessage(JsonString(item, "message")));
      TALON_ASSIGN_OR_RETURN(Integrity integrity,
                             ParseIntegrity(JsonString(item, "integrity", "untrusted")));
      message.label = MakeLabel(integrity, JsonString(item, "readers"));
      input.messages.push_back(std::move(message));
    }
  }
  input.model = JsonString(json, "model");
  input.mode = JsonString(json, "mode") == "task" ? TurnMode::kTask : TurnMode::kChat;
  input.approvals = JsonString(json, "approvals") == "wait" ? Approvals::kWait : Approvals::kRefuse;
  input.instructions = JsonString(json, "instructions");
  if (const Json* tools = JsonFind(json, "client_tools"); tools && tools->is_array()) {
    for (const Json& tool : *tools) {
      input.client_tools.push_back({.name = JsonString(tool, "name"),
                                    .description = JsonString(tool, "description"),
                                    .schema = JsonString(tool, "schema")});
    }
  }
  input.tool_choice = static_cast<model::ToolChoice>(IntWithin(json, "tool_choice", kLastChoice));
  input.only_tool = JsonString(json, "only_tool");
  input.reply_to = JsonString(json, "reply_to");
  if (json.contains("max_output_tokens")) {
    input.max_output_tokens = JsonInt(json, "max_output_tokens");
  }
  if (json.contains("temperature")) input.temperature = JsonDouble(json, "temperature");
  if (json.contains("top_p")) input.top_p = JsonDouble(json, "top_p");
  input.reasoning = static_cast<model::ReasoningEffort>(IntWithin(json, "reasoning", kLastEffort));
  if (const Json* extra = JsonFind(json, "extra"); extra && extra->is_object()) {
    for (const auto& [name, value] : extra->items()) {
      if (value.is_string()) input.extra[name] = value.get<std::string>();
    }
  }
  if (const Json* stop = JsonFind(json, "stop"); stop && stop->is_array()) {
    for (const Json& word : *stop) {
      if (word.is_string()) input.stop.push_back(word.get<std::string>());
    }
  }
  return input;
}

std::string EncodeAnswer(const TurnAnswer& answer) {
  Json json = {{"text", answer.text},
               {"finish_reason", static_cast<int>(answer.finish_reason)},
               {"usage", model::EncodeUsage(answer.usage)},
               {"cost_usd", answer.cost_usd},
               {"model", answer.model},
               {"rounds", answer.rounds}};
  if (!answer.client_calls.empty()) json["client_calls"] = CallsToJson(answer.client_calls);
  return DumpJson(json);
}

absl::StatusOr<TurnAnswer> DecodeAnswer(std::string_view text) {
  TALON_ASSIGN_OR_RETURN(Json json, ParseObject(text, "turn answer"));
  TurnAnswer answer;
  answer.text = JsonString(json, "text");
  answer.finish_reason =
      static_cast<model::FinishReason>(IntWithin(json, "finish_reason", kLastFinish));
  if (auto usage = model::DecodeUsage(JsonString(json, "usage")); usage.ok()) answer.usage = *usage;
  answer.cost_usd = JsonDouble(json, "cost_usd");
  answer.model = JsonString(json, "model");
  answer.rounds = JsonInt(json, "rounds");
  if (const Json* calls = JsonFind(json, "client_calls"); calls && calls->is_array()) {
    for (const Json& call : *calls) {
      answer.client_calls.push_back({.id = JsonString(call, "id"),
                                     .name = JsonString(call, "name"),
                                     .arguments = JsonString(call, "arguments"),
                                     .signature = ""});
    }
  }
  return answer;
}

std::string EncodeError(const absl::Status& error) {
  Json json = {{"code", static_cast<int>(error.code())},
               {"reason", static_cast<int>(ReasonOf(error))},
               {"message", std::string(Message(error))}};
  if (RetryAfterMsOf(error) > 0) json["retry_after_ms"] = RetryAfterMsOf(error);
  return DumpJson(json);
}

absl::Status DecodeError(std::string_view text) {
  auto json = ParseObject(text, "turn error");
  if (!json.ok()) return json.status();
  long code = IntWithin(*json, "code", static_cast<int>(absl::StatusCode::kUnauthenticated));
  if (code == 0) code = static_cast<long>(absl::StatusCode::kInternal);
  const long reason = IntWithin(*json, "reason", kLastReason);
  absl::Status error =
      MakeError(static_cast<absl::StatusCode>(code), static_cast<ErrorReason>(reason),
                JsonString(*json, "message", "unknown error"));
  return WithRetryAfter(error, JsonInt(*json, "retry_after_ms"));
}

}  // namespace talon::agent
