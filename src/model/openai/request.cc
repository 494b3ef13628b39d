// SPDX-License-Identifier: Apache-2.0
#include "model/openai/request.h"

#include <algorithm>

#include "base/digest.h"
#include "model/openai/reasoning_field.h"

namespace talon::model {
namespace {

bool HasImage(const Message& message) {
  return std::any_of(message.parts.begin(), message.parts.end(),
                     [](const Part& part) { return std::holds_alternative<ImagePart>(part); });
}

std::string_view EffortName(ReasoningEffort effort) {
  switch (effort) {
    case ReasoningEffort::kOff:
      return "none";
    case ReasoningEffort::kLow:
      return "low";
    case ReasoningEffort::kMedium:
      return "medium";
    case ReasoningEffort::kHigh:
      return "high";
    case ReasoningEffort::kDefault:
      break;
  }
  return "";
}

}  // namespace

OpenAiRequest::OpenAiRequest(const ChatRequest& request, const ModelEntry* entry,
                             const OpenAiDialect& dialect, const std::string& provider)
    : request_(request), entry_(entry), dialect_(dialect), provider_(provider) {}

std::string OpenAiRequest::Write(Delivery delivery) {
  out_.reserve(EstimateBytes(request_));
  json_.Open('{').Member("model", request_.model);
  Messages();
  Tools();
  Settings();
  if (delivery == Delivery::kStream) {
    json_.Key("stream").Bool(true);
    if (dialect_.stream_options) json_.Key("stream_options").Raw(R"({"include_usage":true})");
  }
  json_.Close('}');
  return std::move(out_);
}

void OpenAiRequest::Messages() {
  json_.Key("messages").Open('[');
  if (!request_.system.empty()) {
    json_.Open('{').Member("role", "system").Member("content", request_.system).Close('}');
  }
  for (const Message& message : request_.messages) OneMessage(message);
  json_.Close(']');
}

void OpenAiRequest::OneMessage(const Message& message) {
  switch (message.role) {
    case Role::kSystem:
      json_.Open('{').Member("role", "system").Member("content", TextOf(message)).Close('}');
      return;
    case Role::kUser:
      return UserMessage(message);
    case Role::kAssistant:
      return AssistantMessage(message);
    case Role::kTool:
      return ToolMessages(message);
  }
}

void OpenAiRequest::UserMessage(const Message& message) {
  json_.Open('{').Member("role", "user").Key("content");
  Content(message);
  json_.Close('}');
}

void OpenAiRequest::Content(const Message& message) {
  if (message.parts.size() == 1 && std::holds_alternative<TextPart>(message.parts.front())) {
    json_.String(std::get<TextPart>(message.parts.front()).text);
    return;
  }
  // Plain text where it can be: some servers take no arrays.
  if (!HasImage(message)) {
    json_.String(TextOf(message));
    return;
  }
  json_.Open('[');
  for (const Part& part : message.parts) {
    const auto* text = std::get_if<TextPart>(&part);
    const auto* image = std::get_if<ImagePart>(&part);
    if (text != nullptr && !text->text.empty()) {
      json_.Open('{').Member("type", "text").Member("text", text->text).Close('}');
    } else if (image != nullptr && ReadsImages(entry_)) {
      json_.Open('{').Member("type", "image_url").Key("image_url").Open('{');
      json_.Member("url", ImageUrl(*image)).Close('}').Close('}');
    } else if (image != nullptr) {
      json_.Open('{').Member("type", "text").Member("text", kImageOmitted).Close('}');
    }
  }
  json_.Close(']');
}

void OpenAiRequest::AssistantMessage(const Message& message) {
  bool has_calls = false;
  for (const Part& part : message.parts) has_calls |= std::holds_alternative<ToolCall>(part);
  std::string text = TextOf(message);
  json_.Open('{').Member("role", "assistant").Key("content");
  if (text.empty() && has_calls) {
    json_.Raw("null");
  } else {
    json_.String(text);
  }
  Reasoning(message, has_calls);
  if (has_calls) {
    json_.Key("tool_calls").Open('[');
    for (const Part& part : message.parts) {
      if (const auto* call = std::get_if<ToolCall>(&part)) CallPart(*call);
    }
    json_.Close(']');
  }
  json_.Close('}');
}

// DeepSeek, Kimi and others demand the reasoning of messages with calls, and only of those.
void OpenAiRequest::Reasoning(const Message& message, bool has_calls) {
  if (!has_calls) return;
  std::string text;
  bool found = dialect_.empty_reasoning;
  for (const Part& part : message.parts) {
    const auto* reasoning = std::get_if<ReasoningPart>(&part);
    if (reasoning == nullptr || reasoning->provider != provider_) continue;
    if (reasoning->signature != kReasoningContent) continue;
    text += reasoning->text;
    found = true;
  }
  if (found) json_.Member(kReasoningContent, text);
}

void OpenAiRequest::CallPart(const ToolCall& call) {
  json_.Open('{').Member("id", CallId(call.id)).Member("type", "function");
  if (dialect_.google_signatures && !call.signature.empty()) {
    json_.Key("extra_content").Open('{').Key("google").Open('{');
    json_.Member("thought_signature", call.signature).Close('}').Close('}');
  }
  // Many servers parse the text of the arguments to render the prompt: it must be an object.
  json_.Key("function").Open('{').Member("name", SafeName(call.name)).Key("arguments");
  if (IsJsonObject(call.arguments)) {
    json_.String(call.arguments);
  } else {
    std::string wrapped;
    AppendArguments(wrapped, call.arguments);
    json_.String(wrapped);
  }
  json_.Close('}').Close('}');
}

void OpenAiRequest::ToolMessages(const Message& message) {
  for (const Part& part : message.parts) {
    const auto* result = std::get_if<ToolResult>(&part);
    if (result == nullptr) continue;
    json_.Open('{').Member("role", "tool").Member("tool_call_id", CallId(result->call_id));
    json_.Member("content", result->content).Close('}');
  }
  if (HasImage(message)) UserMessage(message);  // a tool message takes text only
}

std::string OpenAiRequest::CallId(const std::string& id) const {
  if (!dialect_.nine_character_ids) return SafeCallId(id);
  bool good = id.size() == 9 && std::all_of(id.begin(), id.end(), [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
              });
  return good ? id : Sha256Hex(id).substr(0, 9);
}

void OpenAiRequest::Tools() {
  if (request_.tools.empty()) return;
  json_.Key("tools").Open('[');
  for (const ToolDefinition& tool : request_.tools) {
    json_.Open('{').Member("type", "function").Key("function").Open('{');
    json_.Member("name", tool.name).Member("description", tool.description).Key("parameters");
    AppendSchema(out_, tool.schema);
    json_.Close('}').Close('}');
  }
  json_.Close(']');
  if (request_.tool_choice == ToolChoice::kNone) json_.Member("tool_choice", "none");
  if (request_.tool_choice == ToolChoice::kRequired) json_.Member("tool_choice", "required");
}

void OpenAiRequest::Settings() {
  if (auto most = MaxTokensOf(request_, entry_)) {
    json_.Key(dialect_.max_completion_tokens ? "max_completion_tokens" : "max_tokens").Int(*most);
  }
  if (request_.temperature) json_.Key("temperature").Double(*request_.temperature);
  if (request_.top_p) json_.Key("top_p").Double(*request_.top_p);
  if (!request_.stop.empty()) {
    json_.Key("stop").Open('[');
    for (const std::string& stop : request_.stop) json_.String(stop);
    json_.Close(']');
  }
  // The caller's own word goes as it is.
  const bool said = request_.extra.contains(std::string(kReasoningEffort));
  // Models that do not reason refuse the field.
  std::string_view effort = EffortName(EffortOf(request_, entry_));
  bool reasons = entry_ == nullptr
                     ? request_.reasoning != ReasoningEffort::kOff
                     : HasFeature(entry_, "reasoning") || !entry_->reasoning_effort.empty();
  if (!effort.empty() && reasons && !said) json_.Member("reasoning_effort", effort);
  if (!request_.user.empty() && dialect_.user) json_.Member("user", request_.user);
  for (const auto& [name, value] : request_.extra) {
    json_.String(name);
    out_ += ':';
    json_.Raw(value);
  }
}

}  // namespace talon::model
