// SPDX-License-Identifier: Apache-2.0
#include "examples/model_rules/model_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace talon::examples {
namespace {

using nlohmann::json;

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string TextOf(const sdk::ChatMessage& message) {
  std::string text;
  for (const sdk::ChatPart& part : message.parts) {
    if (const auto* each = std::get_if<sdk::ChatText>(&part)) text += each->text;
    if (const auto* each = std::get_if<sdk::ChatToolResult>(&part)) text += each->content;
  }
  return text;
}

// What the last messages of one kind say: a person's words, or the results of the calls before.
std::string LastOf(const sdk::ChatRequest& request, sdk::ChatRole role) {
  std::string text;
  for (auto message = request.messages.rbegin();
       message != request.messages.rend() && message->role == role; ++message) {
    text = TextOf(*message) + (text.empty() ? "" : "\n") + text;
  }
  return text;
}

// About four bytes a token, as such models have it.
std::int64_t Tokens(std::string_view text) {
  return static_cast<std::int64_t>(text.size() / 4 + 1);
}

std::int64_t Tokens(const sdk::ChatRequest& request) {
  std::int64_t tokens = Tokens(request.system);
  for (const sdk::ChatMessage& message : request.messages) tokens += Tokens(TextOf(message));
  return tokens;
}

// Word by word, as a model would write it.
void Show(std::string_view text, sdk::ChatSink& sink) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' ', 1), text.size());
    sink.Text(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

ModelRules::ModelRules()
    : Plugin({.name = "model_rules",
              .version = "1.0.0",
              .description = "A model that answers by rules.",
              .config = sdk::Object().Optional(
                  "rules", sdk::ArrayOf(sdk::Value(sdk::ValueType::kObject,
                                                   "when, and say or tool with arguments")))}),
      ModelProvider({{.id = "rules", .context_window = 100'000, .tools = true}}) {}

absl::Status ModelRules::Configure(const sdk::Args& config, const sdk::Folders&) {
  for (const json& each : config.json().value("rules", json::array())) {
    Rule rule;
    for (const auto& [name, value] : each.items()) {
      if (name == "arguments" && value.is_object()) {
        rule.arguments_json = value.dump();
        continue;
      }
      std::string* member = name == "when"   ? &rule.when
                            : name == "say"  ? &rule.say
                            : name == "tool" ? &rule.tool
                                             : nullptr;
      if (member == nullptr || !value.is_string()) {
        return absl::InvalidArgumentError(fmt::format(
            "rules: '{}' is not known or no text; known are: when, say, tool, arguments", name));
      }
      *member = value.get<std::string>();
    }
    if (rule.when.empty() || (rule.say.empty() && rule.tool.empty())) {
      return absl::InvalidArgumentError("rules: a rule needs `when`, and `say` or `tool`");
    }
    rule.when = Lower(std::move(rule.when));
    rules_.push_back(std::move(rule));
  }
  return absl::OkStatus();
}

const ModelRules::Rule* ModelRules::Find(const std::string& text) const {
  const std::string lower = Lower(text);
  const auto found = std::ranges::find_if(
      rules_, [&](const Rule& rule) { return lower.find(rule.when) != std::string::npos; });
  return found == rules_.end() ? nullptr : &*found;
}

absl::StatusOr<sdk::ChatAnswer> ModelRules::Complete(const sdk::ChatRequest& request,
                                                     const sdk::CallInfo&, sdk::ChatSink& sink) {
  if (request.messages.empty()) return absl::InvalidArgumentError("no messages");
  sdk::ChatAnswer answer;
  const std::string result = LastOf(request, sdk::ChatRole::kTool);
  const std::string asked = LastOf(request, sdk::ChatRole::kUser);
  const Rule* rule = result.empty() ? Find(asked) : nullptr;
  std::string text = rule != nullptr ? rule->say : !result.empty() ? result : "You said: " + asked;
  const bool calls =
      rule != nullptr && !rule->tool.empty() && request.tool_choice != sdk::ChatToolChoice::kNone;
  if (!text.empty()) {
    Show(text, sink);
    answer.parts.emplace_back(sdk::ChatText{text});
  }
  if (calls) {
    sink.ToolCall("", rule->tool);
    answer.parts.emplace_back(sdk::ChatToolCall{
        .id = "", .name = rule->tool, .arguments_json = rule->arguments_json, .signature = ""});
    answer.finish = sdk::ChatFinish::kToolCalls;
  }
  answer.usage = sdk::ChatUsage{.input_tokens = Tokens(request), .output_tokens = Tokens(text)};
  return answer;
}

}  // namespace talon::examples
