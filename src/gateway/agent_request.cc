// SPDX-License-Identifier: Apache-2.0
#include "gateway/agent_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "gateway/api.h"
#include "guard/guard.h"

namespace talon::gateway {
namespace {

// Said to the model in every round. What its wire cannot say is refused there by name.
constexpr std::string_view kCarried[] = {"frequency_penalty",
                                         "logit_bias",
                                         "parallel_tool_calls",
                                         "presence_penalty",
                                         "reasoning_effort",
                                         "response_format",
                                         "seed",
                                         "verbosity"};
// For the provider's own books: no answer is different for them.
constexpr std::string_view kIgnored[] = {
    "metadata",          "prompt_cache_key", "prompt_cache_retention",
    "safety_identifier", "service_tier",     "store"};

template <std::size_t N>
bool Lists(const std::string_view (&names)[N], const std::string& name) {
  return std::ranges::find(names, name) != std::end(names);
}

std::string WhyRefused(const std::string& name) {
  if (name == "functions" || name == "function_call") return "use tools and tool_choice";
  if (name == "logprobs" || name == "top_logprobs") {
    return "a turn of the agent is several answers of a model, and has no log probabilities";
  }
  return "the agent does not know this member";
}

// In a session the daemon keeps the history: of what the client repeats only the new end counts.
std::vector<model::Message> NewMessages(std::vector<model::Message> messages) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == model::Role::kAssistant) first = i + 1;
  }
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(first));
  return messages;
}

// Results of tools the client ran are data from outside, like a plugin's.
void GuardClientResults(std::vector<model::Message>& messages) {
  for (model::Message& message : messages) {
    for (model::Part& part : message.parts) {
      auto* result = std::get_if<model::ToolResult>(&part);
      if (result == nullptr) continue;
      result->content = guard::WrapPluginOutput(
          "client", result->name.empty() ? "tool" : result->name,
          guard::SanitizeUntrusted(result->content, nullptr, guard::HiddenText::kShow));
    }
  }
}

}  // namespace

absl::Status CheckMembers(const ChatCompletionRequest& chat) {
  for (const auto& [name, value] : chat.extra) {
    if (Lists(kCarried, name) || Lists(kIgnored, name)) continue;
    const std::string shown(TruncateUtf8(name, 100));
    return AboutMember(
        InvalidArgument(fmt::format("{}: not supported with model '{}': {}; leave it out, or name "
                                    "a model as provider/model, which passes it on",
                                    shown, kAgentModel, WhyRefused(name))),
        shown, "unsupported_parameter");
  }
  return absl::OkStatus();
}

agent::TurnInput InputOf(ChatCompletionRequest chat, History history) {
  agent::TurnInput input;
  input.messages =
      history == History::kKept ? NewMessages(std::move(chat.messages)) : std::move(chat.messages);
  GuardClientResults(input.messages);
  if (chat.model.size() > kAgentModel.size()) {
    input.model = chat.model.substr(kAgentModel.size() + 1);
  }
  input.instructions = std::move(chat.instructions);
  input.client_tools = std::move(chat.tools);
  input.tool_choice = chat.tool_choice;
  input.only_tool = std::move(chat.only_tool);
  input.max_output_tokens = chat.max_output_tokens;
  input.temperature = chat.temperature;
  input.top_p = chat.top_p;
  input.stop = std::move(chat.stop);
  input.reasoning = chat.reasoning;
  input.extra = std::move(chat.extra);
  std::erase_if(input.extra, [](const auto& member) { return !Lists(kCarried, member.first); });
  return input;
}

}  // namespace talon::gateway
