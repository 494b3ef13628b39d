// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "base/status.h"
#include "gateway/api.h"
#include "io/sse.h"

namespace talon::gateway {
namespace {

// "messages[2].content: <what>"
absl::Status Bad(std::string_view member, std::string_view what) {
  return AboutMember(InvalidArgument(fmt::format("{}: {}", member, what)), member);
}

// The error of a member, with where it stands.
absl::Status In(const std::string& where, const absl::Status& member) {
  if (member.ok()) return member;
  return AboutMember(InvalidArgument(where + std::string(Message(member))),
                     where + MemberOf(member));
}

absl::Status ParseContent(const Json& content, const std::string& where, model::Message& message) {
  if (content.is_null()) return absl::OkStatus();
  if (content.is_string()) {
    message.parts.push_back(model::TextPart{content.get<std::string>()});
    return absl::OkStatus();
  }
  if (!content.is_array()) {
    return Bad(where, "must be a string or an array of parts");
  }
  for (std::size_t i = 0; i < content.size(); ++i) {
    const Json& part = content[i];
    const std::string type = JsonString(part, "type");
    if (type == "text" || type == "input_text" || type == "output_text") {
      TALON_RETURN_IF_ERROR(
          In(fmt::format("{}[{}].", where, i), CheckMember(part, "text", JsonKind::kString)));
      message.parts.push_back(model::TextPart{JsonString(part, "text")});
    } else if (type == "image_url") {
      const Json* image = JsonFind(part, "image_url");
      const std::string url = image == nullptr     ? ""
                              : image->is_string() ? image->get<std::string>()
                                                   : JsonString(*image, "url");
      model::ImagePart out;
      constexpr std::string_view kData = "data:";
      const std::size_t comma = url.find(";base64,");
      if (url.starts_with(kData) && comma != std::string::npos) {
        out.media_type = url.substr(kData.size(), comma - kData.size());
        out.base64 = url.substr(comma + 8);
      } else if (url.starts_with("https://") || url.starts_with("http://")) {
        out.url = url;
      } else {
        return Bad(fmt::format("{}[{}].image_url", where, i),
                   "must be an http(s) URL or a base64 data URL");
      }
      message.parts.push_back(std::move(out));
    } else if (type == "refusal") {
      message.parts.push_back(model::TextPart{JsonString(part, "refusal")});
    } else {
      return Bad(fmt::format("{}[{}].type", where, i),
                 fmt::format("'{}' is not supported; use text or image_url", type));
    }
  }
  return absl::OkStatus();
}

absl::Status ParseCalls(const Json& item, const std::string& where, model::Message& message) {
  const Json* calls = JsonFind(item, "tool_calls");
  if (calls == nullptr || calls->is_null()) return absl::OkStatus();
  if (!calls->is_array()) return Bad(where + ".tool_calls", "not an array");
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const Json& call = (*calls)[i];
    const std::string at = fmt::format("{}.tool_calls[{}].", where, i);
    const Json* function = JsonFind(call, "function");
    if (function == nullptr || JsonString(*function, "name").empty()) {
      return Bad(at + "function.name", "missing");
    }
    TALON_RETURN_IF_ERROR(
        In(at + "function.", CheckMember(*function, "arguments", JsonKind::kString)));
    message.parts.push_back(model::ToolCall{.id = JsonString(call, "id"),
                                            .name = JsonString(*function, "name"),
                                            .arguments = JsonString(*function, "arguments", "{}"),
                                            .signature = ""});
  }
  return absl::OkStatus();
}

// `calls`: ids of the calls so far.
absl::Status ParseMessage(const Json& item, std::size_t index, std::set<std::string>& calls,
                          ChatCompletionRequest& request) {
  const std::string where = fmt::format("messages[{}]", index);
  if (!item.is_object()) return Bad(where, "must be an object");
  const std::string role = JsonString(item, "role");
  model::Message message;
  const Json* content = JsonFind(item, "content");
  if (content != nullptr) {
    TALON_RETURN_IF_ERROR(ParseContent(*content, where + ".content", message));
  }
  if (role == "system" || role == "developer") {
    if (!request.instructions.empty()) request.instructions += "\n";
    request.instructions += model::TextOf(message);
    return absl::OkStatus();
  }
  if (role == "user") {
    message.role = model::Role::kUser;
    message.label.integrity = Integrity::kUser;
    if (message.parts.empty()) return Bad(where + ".content", "empty");
  } else if (role == "assistant") {
    message.role = model::Role::kAssistant;
    TALON_RETURN_IF_ERROR(ParseCalls(item, where, message));
    for (const model::ToolCall& call : model::ToolCallsOf(message)) calls.insert(call.id);
    if (message.parts.empty()) message.parts.push_back(model::TextPart{});
  } else if (role == "tool") {
    model::ToolResult result;
    result.call_id = JsonString(item, "tool_call_id");
    result.name = JsonString(item, "name");
    result.content = model::TextOf(message);
    if (result.call_id.empty()) {
      return Bad(where + ".tool_call_id", "missing");
    }
    if (request.stray_result.ok() && !calls.contains(result.call_id)) {
      request.stray_result =
          Bad(where + ".tool_call_id",
              fmt::format("'{}' belongs to no tool call before it", result.call_id));
    }
    message.role = model::Role::kTool;
    message.parts = {std::move(result)};
  } else {
    return Bad(where + ".role",
               fmt::format("'{}' is not one of system, developer, user, assistant, tool", role));
  }
  request.messages.push_back(std::move(message));
  return absl::OkStatus();
}

// What every provider takes as a function's name.
bool IsToolName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

absl::Status ParseTool(const Json& tool, std::size_t index, ChatCompletionRequest& request) {
  const Json* function = JsonFind(tool, "function");
  if (function == nullptr || JsonString(*function, "name").empty()) {
    return Bad(fmt::format("tools[{}]", index), "needs type 'function' and function.name");
  }
  std::string name = JsonString(*function, "name");
  if (!IsToolName(name)) {
    return Bad(fmt::format("tools[{}].function.name", index),
               "must be 1 to 64 letters, digits, '_' and '-'");
  }
  for (const model::ToolDefinition& other : request.tools) {
    if (other.name == name) {
      return Bad(fmt::format("tools[{}].function.name", index),
                 fmt::format("'{}' is there twice", name));
    }
  }
  TALON_RETURN_IF_ERROR(In(fmt::format("tools[{}].function.", index),
                           CheckMember(*function, "parameters", JsonKind::kObject)));
  const Json* parameters = JsonFind(*function, "parameters");
  const bool given = parameters != nullptr && !parameters->is_null();
  request.tools.push_back({.name = std::move(name),
                           .description = JsonString(*function, "description"),
                           .schema = given ? DumpJson(*parameters) : R"({"type":"object"})"});
  return absl::OkStatus();
}

// "auto", "none", "required", or one function: then only that is offered.
absl::Status ParseToolChoice(const Json& json, ChatCompletionRequest& request) {
  const Json* choice = JsonFind(json, "tool_choice");
  if (choice == nullptr || choice->is_null() || *choice == "auto") return absl::OkStatus();
  if (*choice == "none") {
    request.tool_choice = model::ToolChoice::kNone;
    return absl::OkStatus();
  }
  request.tool_choice = model::ToolChoice::kRequired;
  if (*choice == "required") return absl::OkStatus();
  const Json* function = JsonFind(*choice, "function");
  if (function == nullptr) {
    return Bad("tool_choice", "must be auto, none, required or name a function");
  }
  const std::string name = JsonString(*function, "name");
  request.only_tool = name;
  std::erase_if(request.tools,
                [&](const model::ToolDefinition& tool) { return tool.name != name; });
  if (request.tools.empty()) {
    return Bad("tool_choice", fmt::format("no function '{}' in tools", name));
  }
  return absl::OkStatus();
}

absl::Status ParseTools(const Json& json, ChatCompletionRequest& request) {
  TALON_RETURN_IF_ERROR(CheckMember(json, "tools", JsonKind::kArray));
  if (const Json* tools = JsonFind(json, "tools"); tools != nullptr && tools->is_array()) {
    for (std::size_t i = 0; i < tools->size(); ++i) {
      TALON_RETURN_IF_ERROR(ParseTool((*tools)[i], i, request));
    }
  }
  return ParseToolChoice(json, request);
}

absl::Status ParseStop(const Json& json, ChatCompletionRequest& request) {
  const Json* stop = JsonFind(json, "stop");
  if (stop == nullptr || stop->is_null()) return absl::OkStatus();
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  const bool texts = list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& word) {
                       return word.is_string();
                     });
  if (!texts) return Bad("stop", "must be a string or an array of strings");
  for (const Json& word : list) request.stop.push_back(word.get<std::string>());
  return absl::OkStatus();
}

absl::Status ParseParameters(const Json& json, ChatCompletionRequest& request) {
  for (const char* name : {"max_completion_tokens", "max_tokens"}) {
    TALON_RETURN_IF_ERROR(CheckMember(json, name, JsonKind::kCount));
    if (JsonInt(json, name) > 0) request.max_output_tokens = JsonInt(json, name);
  }
  auto number = [&](const char* name, std::optional<double>& out) {
    absl::Status status = CheckMember(json, name, JsonKind::kNumber);
    const Json* value = JsonFind(json, name);
    if (value != nullptr && value->is_number()) out = value->get<double>();
    return status;
  };
  TALON_RETURN_IF_ERROR(number("temperature", request.temperature));
  TALON_RETURN_IF_ERROR(number("top_p", request.top_p));
  TALON_RETURN_IF_ERROR(ParseStop(json, request));
  TALON_RETURN_IF_ERROR(CheckMember(json, "user", JsonKind::kString));
  request.user = JsonString(json, "user");
  TALON_RETURN_IF_ERROR(CheckMember(json, "stream", JsonKind::kBool));
  request.stream = JsonBool(json, "stream");
  TALON_RETURN_IF_ERROR(CheckMember(json, "stream_options", JsonKind::kObject));
  if (const Json* options = JsonFind(json, "stream_options"); options != nullptr) {
    request.include_usage = JsonBool(*options, "include_usage");
  }
  return absl::OkStatus();
}

model::ReasoningEffort EffortOf(const std::string& name) {
  if (name == "none") return model::ReasoningEffort::kOff;
  if (name == "minimal" || name == "low") return model::ReasoningEffort::kLow;
  if (name == "medium") return model::ReasoningEffort::kMedium;
  if (name == "high" || name == "xhigh") return model::ReasoningEffort::kHigh;
  return model::ReasoningEffort::kDefault;
}

// Said by clients that set every member, and no wish at all.
bool IsDefault(const std::string& name, const Json& value) {
  if (value.is_null()) return true;
  if (name == "logprobs" || name == "store") return value == false;
  if (name == "parallel_tool_calls") return value == true;
  if (name == "presence_penalty" || name == "frequency_penalty") return value == 0;
  if (name == "response_format") return JsonString(value, "type") == "text";
  if (name == "modalities") return value == Json({"text"});
  return false;
}

// What is said elsewhere in the request, and the rest as it is.
absl::Status ParseExtra(const Json& json, ChatCompletionRequest& request) {
  constexpr std::string_view kKnown[] = {
      "model",         "messages",    "n",     "tools", "tool_choice", "max_completion_tokens",
      "max_tokens",    "temperature", "top_p", "stop",  "user",        "stream",
      "stream_options"};
  const std::string effort(model::kReasoningEffort);
  TALON_RETURN_IF_ERROR(CheckMember(json, effort.c_str(), JsonKind::kString));
  request.reasoning = EffortOf(JsonString(json, effort));
  for (const auto& [name, value] : json.items()) {
    if (std::ranges::find(kKnown, name) != std::end(kKnown) || IsDefault(name, value)) continue;
    request.extra[name] = DumpJson(value);
  }
  return absl::OkStatus();
}

Json UsageJson(const model::Usage& usage) {
  return {{"prompt_tokens", usage.input_tokens},
          {"completion_tokens", usage.output_tokens},
          {"total_tokens", usage.input_tokens + usage.output_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_input_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

Json CallsJson(const std::vector<model::ToolCall>& calls, bool indexed) {
  Json list = Json::array();
  for (const model::ToolCall& call : calls) {
    Json item = {{"id", call.id},
                 {"type", "function"},
                 {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
    if (indexed) item["index"] = list.size();
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

absl::StatusOr<ChatCompletionRequest> ParseChatCompletion(std::string_view body) {
  TALON_ASSIGN_OR_RETURN(Json json, ParseJson(body, "request body"));
  if (!json.is_object()) return InvalidArgument("request body: must be a JSON object");
  ChatCompletionRequest request;
  TALON_RETURN_IF_ERROR(CheckMember(json, "model", JsonKind::kString));
  request.model = JsonString(json, "model");
  if (request.model.empty()) {
    return Bad("model", "missing; use 'talon' or one that GET /v1/models lists");
  }
  TALON_RETURN_IF_ERROR(CheckMember(json, "n", JsonKind::kCount));
  if (JsonInt(json, "n", 1) != 1) return Bad("n", "only 1 is supported");
  const Json* messages = JsonFind(json, "messages");
  if (messages == nullptr || !messages->is_array() || messages->empty()) {
    return Bad("messages", "must be an array with at least one message");
  }
  std::set<std::string> calls;
  for (std::size_t i = 0; i < messages->size(); ++i) {
    TALON_RETURN_IF_ERROR(ParseMessage((*messages)[i], i, calls, request));
  }
  if (request.messages.empty()) {
    return Bad("messages", "needs a user, assistant or tool message");
  }
  TALON_RETURN_IF_ERROR(ParseTools(json, request));
  TALON_RETURN_IF_ERROR(ParseParameters(json, request));
  TALON_RETURN_IF_ERROR(ParseExtra(json, request));
  return request;
}

std::string FormatCompletion(const CompletionIds& ids, const agent::TurnAnswer& answer,
                             const PassedAnswer& passed) {
  Json message = {{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}};
  if (!answer.client_calls.empty()) {
    message["tool_calls"] = CallsJson(answer.client_calls, false);
    if (answer.text.empty()) message["content"] = nullptr;
  }
  if (!passed.reasoning.empty()) message["reasoning_content"] = passed.reasoning;
  Json logprobs;
  if (!passed.logprobs.empty()) {
    if (auto parsed = ParseJson(passed.logprobs, "logprobs"); parsed.ok()) {
      logprobs = *std::move(parsed);
    }
  }
  return DumpJson({{"id", ids.id},
                   {"object", "chat.completion"},
                   {"created", ids.created},
                   {"model", ids.model},
                   {"choices",
                    {{{"index", 0},
                      {"message", std::move(message)},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", model::FinishReasonName(answer.finish_reason)}}}},
                   {"usage", UsageJson(answer.usage)}});
}

std::string OpenAiStream::Chunk(std::string_view delta_json, std::string_view finish_json,
                                std::string_view logprobs_json) const {
  std::string data = R"({"id":)";
  AppendJsonString(data, ids_.id);
  data += fmt::format(R"(,"object":"chat.completion.chunk","created":{},"model":)", ids_.created);
  AppendJsonString(data, ids_.model);
  data += fmt::format(R"(,"choices":[{{"index":0,"delta":{},)", delta_json);
  if (!logprobs_json.empty()) data += fmt::format(R"("logprobs":{},)", logprobs_json);
  data += fmt::format(R"("finish_reason":{}}}]}})", finish_json);
  return io::FormatSse("", data);
}

std::string OpenAiStream::Start() {
  return Chunk(R"({"role":"assistant","content":""})", "null");
}

std::string OpenAiStream::Text(std::string_view delta) {
  std::string json = R"({"content":)";
  AppendJsonString(json, delta);
  return Chunk(json + "}", "null");
}

std::string OpenAiStream::Reasoning(std::string_view delta) {
  std::string json = R"({"reasoning_content":)";
  AppendJsonString(json, delta);
  return Chunk(json + "}", "null");
}

// Chat Completions has no place for tools that the server runs; comments keep proxies awake.
std::string OpenAiStream::ToolStart(const agent::ToolActivity&) {
  return ": tool call started\n\n";
}
std::string OpenAiStream::ToolResult(const agent::ToolActivity&) {
  return ": tool call finished\n\n";
}

std::string OpenAiStream::End(const agent::TurnOutcome& outcome) {
  if (!outcome.error.ok()) {
    return io::FormatSse("", ErrorBody(outcome.error)) + io::FormatSse("", "[DONE]");
  }
  std::string out;
  if (!outcome.answer.client_calls.empty()) {
    out += Chunk(DumpJson({{"tool_calls", CallsJson(outcome.answer.client_calls, true)}}), "null");
  }
  out += Chunk("{}", fmt::format("\"{}\"", model::FinishReasonName(outcome.answer.finish_reason)),
               logprobs_);
  if (include_usage_) {
    out += io::FormatSse("", DumpJson({{"id", ids_.id},
                                       {"object", "chat.completion.chunk"},
                                       {"created", ids_.created},
                                       {"model", ids_.model},
                                       {"choices", Json::array()},
                                       {"usage", UsageJson(outcome.answer.usage)}}));
  }
  return out + io::FormatSse("", "[DONE]");
}

}  // namespace talon::gateway
