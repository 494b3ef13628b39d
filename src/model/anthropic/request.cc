// SPDX-License-Identifier: Apache-2.0
#include "model/anthropic/request.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace talon::model {
namespace {

constexpr std::int64_t kMinBudget = 1024;  // the API's least
constexpr std::int64_t kMinAnswer = 1024;  // kept free of thinking
constexpr std::int64_t kMostTokens = 1 << 30;

std::int64_t BudgetOf(ReasoningEffort effort) {
  switch (effort) {
    case ReasoningEffort::kLow:
      return 2048;
    case ReasoningEffort::kMedium:
      return 8192;
    case ReasoningEffort::kHigh:
      return 24'576;
    default:
      return 0;
  }
}

std::string_view EffortLevel(ReasoningEffort effort) {
  if (effort == ReasoningEffort::kLow) return "low";
  return effort == ReasoningEffort::kMedium ? "medium" : "high";
}

bool IsBlank(std::string_view text) {
  return TrimSpace(text).empty();
}

// Whether the part is one that a message can consist of.
bool Speaks(const Part& part) {
  if (const auto* text = std::get_if<TextPart>(&part)) return !IsBlank(text->text);
  return !std::holds_alternative<ReasoningPart>(part);
}

}  // namespace

AnthropicRequest::AnthropicRequest(const ChatRequest& request, const ModelEntry* entry,
                                   const std::string& provider, std::int64_t default_max_tokens)
    : request_(request),
      entry_(entry),
      provider_(provider),
      generation_(GenerationOf(request.model)),
      effort_(EffortOf(request, entry)) {
  DecideThinking(default_max_tokens);
}

bool AnthropicRequest::IsOwn(const ReasoningPart& part) const {
  return part.provider == provider_ && (!part.signature.empty() || !part.redacted.empty());
}

// In the middle of a tool loop the assistant's message must begin with its thinking, which a
// message of another model or of a request without thinking has not.
bool AnthropicRequest::HistoryAllowsThinking() const {
  for (auto message = request_.messages.rbegin(); message != request_.messages.rend(); ++message) {
    if (message->role == Role::kUser) return true;
    if (message->role != Role::kAssistant) continue;
    bool calls = false, thought = false;
    for (const Part& part : message->parts) {
      calls |= std::holds_alternative<ToolCall>(part);
      const auto* reasoning = std::get_if<ReasoningPart>(&part);
      thought |= reasoning != nullptr && IsOwn(*reasoning);
    }
    return !calls || thought;
  }
  return true;
}

void AnthropicRequest::DecideThinking(std::int64_t default_max_tokens) {
  max_tokens_ = std::clamp<std::int64_t>(MaxTokensOf(request_, entry_).value_or(default_max_tokens),
                                         1, kMostTokens);
  budget_ = BudgetOf(effort_);
  // Forced calls and thinking exclude each other.
  if (budget_ == 0 || request_.tool_choice == ToolChoice::kRequired) return;
  if (generation_.thinking == ThinkingStyle::kAdaptive) {
    thinking_ = true;
    return;
  }
  if (!HistoryAllowsThinking()) return;
  // max_tokens counts thinking too; what the caller asked for is the answer.
  std::int64_t most =
      entry_ != nullptr && entry_->max_tokens > 0 ? entry_->max_tokens : kMostTokens;
  std::int64_t total = std::min(max_tokens_ + budget_, most);
  budget_ = std::min(budget_, total - kMinAnswer);
  if (budget_ < kMinBudget) return;
  thinking_ = true;
  max_tokens_ = total;
}

std::string AnthropicRequest::Write(Delivery delivery) {
  out_.reserve(EstimateBytes(request_));
  json_.Open('{').Member("model", request_.model).Key("max_tokens").Int(max_tokens_);
  Tools();
  System();
  Messages();
  Settings();
  if (delivery == Delivery::kStream) json_.Key("stream").Bool(true);
  json_.Close('}');
  return std::move(out_);
}

void AnthropicRequest::MarkCacheable() {
  if (!request_.cache_prefix || out_.back() != '}') return;
  out_.pop_back();
  json_.Key("cache_control").Raw(R"({"type":"ephemeral"})").Close('}');
}

void AnthropicRequest::System() {
  const std::string text = SystemText(request_);
  if (IsBlank(text)) return;
  json_.Key("system").Open('[');
  TextBlock(text);
  MarkCacheable();
  json_.Close(']');
}

bool AnthropicRequest::IsSendable(const Message& message) const {
  return std::any_of(message.parts.begin(), message.parts.end(), Speaks);
}

void AnthropicRequest::Messages() {
  const std::vector<Turn> turns =
      TurnsOf(request_, [this](const Message& message) { return IsSendable(message); });
  json_.Key("messages").Open('[');
  if (turns.empty() || IsAssistant(turns.front())) {
    json_.Open('{').Member("role", "user").Member("content", kNothingSaid).Close('}');
  }
  for (const Turn& turn : turns) OneTurn(turn, &turn == &turns.back());
  json_.Close(']');
}

void AnthropicRequest::OneTurn(const Turn& turn, bool last) {
  bool assistant = IsAssistant(turn);
  json_.Open('{').Member("role", assistant ? "assistant" : "user").Key("content").Open('[');
  if (assistant) {
    AssistantBlocks(turn);
  } else {
    UserBlocks(turn);
  }
  if (last && !assistant) MarkCacheable();
  json_.Close(']').Close('}');
}

void AnthropicRequest::UserBlocks(const Turn& turn) {
  for (const Message* message : turn) {
    for (const Part& part : message->parts) {
      if (const auto* result = std::get_if<ToolResult>(&part)) ResultBlock(*result);
    }
  }
  for (const Message* message : turn) {
    for (const Part& part : message->parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) TextBlock(text->text);
      if (const auto* image = std::get_if<ImagePart>(&part)) ImageBlock(*image);
    }
  }
}

void AnthropicRequest::AssistantBlocks(const Turn& turn) {
  for (const Message* message : turn) {
    for (const Part& part : message->parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) TextBlock(text->text);
      if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) ReasoningBlock(*reasoning);
      if (const auto* call = std::get_if<ToolCall>(&part)) CallBlock(*call);
    }
  }
}

void AnthropicRequest::TextBlock(std::string_view text) {
  if (IsBlank(text)) return;  // refused by the API
  json_.Open('{').Member("type", "text").Member("text", text).Close('}');
}

void AnthropicRequest::ImageBlock(const ImagePart& image) {
  if (!ReadsImages(entry_)) return TextBlock(kImageOmitted);
  json_.Open('{').Member("type", "image").Key("source").Open('{');
  if (image.base64.empty()) {
    json_.Member("type", "url").Member("url", image.url);
  } else {
    json_.Member("type", "base64");
    json_.Member("media_type", image.media_type.empty() ? "image/png" : image.media_type);
    json_.Member("data", image.base64);
  }
  json_.Close('}').Close('}');
}

void AnthropicRequest::ReasoningBlock(const ReasoningPart& part) {
  if (!IsOwn(part)) return;
  json_.Open('{');
  if (part.redacted.empty()) {
    json_.Member("type", "thinking").Member("thinking", part.text);
    json_.Member("signature", part.signature);
  } else {
    json_.Member("type", "redacted_thinking").Member("data", part.redacted);
  }
  json_.Close('}');
}

void AnthropicRequest::CallBlock(const ToolCall& call) {
  json_.Open('{').Member("type", "tool_use").Member("id", SafeCallId(call.id));
  json_.Member("name", SafeName(call.name)).Key("input");
  AppendArguments(out_, call.arguments);
  json_.Close('}');
}

void AnthropicRequest::ResultBlock(const ToolResult& result) {
  json_.Open('{').Member("type", "tool_result").Member("tool_use_id", SafeCallId(result.call_id));
  if (!result.content.empty()) json_.Member("content", result.content);
  if (result.is_error) json_.Key("is_error").Bool(true);
  json_.Close('}');
}

// Calls in a history need the tools declared, even where none may be called any more.
void AnthropicRequest::ToolsOfHistory() {
  std::set<std::string> names;
  for (const Message& message : request_.messages) {
    for (const Part& part : message.parts) {
      if (const auto* call = std::get_if<ToolCall>(&part)) names.insert(SafeName(call->name));
    }
  }
  if (names.empty()) return;
  json_.Key("tools").Open('[');
  for (const std::string& name : names) {
    json_.Open('{').Member("name", name).Key("input_schema");
    AppendSchema(out_, "");
    json_.Close('}');
  }
  json_.Close(']');
  json_.Key("tool_choice").Raw(R"({"type":"none"})");
}

void AnthropicRequest::Tools() {
  if (request_.tools.empty()) return ToolsOfHistory();
  json_.Key("tools").Open('[');
  for (const ToolDefinition& tool : request_.tools) {
    json_.Open('{').Member("name", tool.name).Member("description", tool.description);
    json_.Key("input_schema");
    AppendSchema(out_, tool.schema);
    json_.Close('}');
  }
  MarkCacheable();
  json_.Close(']');
  if (request_.tool_choice == ToolChoice::kNone) {
    json_.Key("tool_choice").Raw(R"({"type":"none"})");
  } else if (request_.tool_choice == ToolChoice::kRequired) {
    json_.Key("tool_choice").Raw(R"({"type":"any"})");
  }
}

void AnthropicRequest::Thinking() {
  if (generation_.thinking == ThinkingStyle::kAdaptive) {
    json_.Key("thinking").Raw(R"({"type":"adaptive"})");
    json_.Key("output_config").Open('{').Member("effort", EffortLevel(effort_)).Close('}');
    return;
  }
  json_.Key("thinking").Open('{').Member("type", "enabled");
  json_.Key("budget_tokens").Int(budget_).Close('}');
}

void AnthropicRequest::Settings() {
  if (thinking_) Thinking();
  if (generation_.sampling && !thinking_) {
    if (request_.temperature) json_.Key("temperature").Double(std::min(*request_.temperature, 1.0));
    // The API takes one of the two.
    if (request_.top_p && !request_.temperature) json_.Key("top_p").Double(*request_.top_p);
  }
  if (!request_.stop.empty()) {
    json_.Key("stop_sequences").Open('[');
    for (const std::string& stop : request_.stop) {
      if (!IsBlank(stop)) json_.String(stop);
    }
    json_.Close(']');
  }
  if (!request_.user.empty()) {
    json_.Key("metadata").Open('{').Member("user_id", request_.user).Close('}');
  }
}

}  // namespace talon::model
