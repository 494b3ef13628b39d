// SPDX-License-Identifier: Apache-2.0
#include "agent/window.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"

namespace talon::agent {
namespace {

constexpr std::size_t kCutTo = 2000;     // bytes kept at each end of a shortened text
constexpr std::size_t kCutHarder = 200;  // the same, when that was not enough

// Pairs every call with a result: drops strays, adds "[no result]".
std::vector<model::Message> Paired(std::vector<model::Message> history) {
  std::unordered_set<std::string> answered;
  for (const model::Message& message : history) {
    for (const model::Part& part : message.parts) {
      if (const auto* result = std::get_if<model::ToolResult>(&part)) {
        answered.insert(result->call_id);
      }
    }
  }
  std::vector<model::Message> out;
  out.reserve(history.size());
  std::unordered_set<std::string> open;
  for (model::Message& message : history) {
    if (message.role == model::Role::kTool) {
      std::erase_if(message.parts, [&](const model::Part& part) {
        const auto* result = std::get_if<model::ToolResult>(&part);
        return result == nullptr || open.erase(result->call_id) == 0;
      });
      if (!message.parts.empty()) out.push_back(std::move(message));
      continue;
    }
    const Label label = message.label;
    const std::vector<model::ToolCall> calls = model::ToolCallsOf(message);
    const bool may_call = message.role == model::Role::kAssistant;
    out.push_back(std::move(message));
    if (!may_call) continue;
    for (const model::ToolCall& call : calls) {
      if (answered.contains(call.id)) {
        open.insert(call.id);
        continue;
      }
      model::Message missing;
      missing.role = model::Role::kTool;
      missing.label = label;
      missing.parts.push_back(model::ToolResult{
          .call_id = call.id, .name = call.name, .content = "[no result]", .is_error = true});
      out.push_back(std::move(missing));
    }
  }
  return out;
}

bool CutMiddle(std::string& text, std::size_t keep) {
  if (text.size() <= 2 * keep + 64) return false;
  std::string_view tail(text);
  tail.remove_prefix(text.size() - keep);
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80) {
    tail.remove_prefix(1);
  }
  const std::size_t left_out = text.size() - keep - tail.size();
  text = fmt::format("{}\n[… {} bytes left out …]\n{}", TruncateUtf8(text, keep), left_out, tail);
  return true;
}

bool CutMessage(model::Message& message, std::size_t keep) {
  bool cut = false;
  for (model::Part& part : message.parts) {
    if (auto* result = std::get_if<model::ToolResult>(&part)) {
      // The envelope's last line stays, since the tail is kept.
      cut |= CutMiddle(result->content, keep);
    } else if (auto* text = std::get_if<model::TextPart>(&part)) {
      cut |= CutMiddle(text->text, keep);
    }
  }
  return cut;
}

}  // namespace

Window FitWindow(std::vector<model::Message> history, std::int64_t budget,
                 const TokenCount& count) {
  std::vector<model::Message> all = Paired(std::move(history));
  std::vector<std::int64_t> tokens(all.size());
  std::int64_t total = 0;
  for (std::size_t i = 0; i < all.size(); ++i) total += tokens[i] = count(all[i]);

  // Whole exchanges, each opened by a user message, fall out at the old end.
  std::size_t first = 0;
  while (first < all.size() && all[first].role == model::Role::kTool) total -= tokens[first++];
  std::size_t last_user = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].role == model::Role::kUser) last_user = i;
  }
  while (total > budget && first < last_user) {
    do {
      total -= tokens[first++];
    } while (first < last_user && all[first].role != model::Role::kUser);
  }

  Window window;
  window.dropped = first;
  window.messages.assign(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(first)),
                         std::make_move_iterator(all.end()));
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(first));

  // The current exchange alone is too large: shorten its messages, tool results first, oldest
  // first.
  for (const std::size_t keep : {kCutTo, kCutHarder}) {
    for (const bool tools_only : {true, false}) {
      for (std::size_t i = 0; i < window.messages.size() && total > budget; ++i) {
        const bool is_tool = window.messages[i].role == model::Role::kTool;
        if (is_tool != tools_only || !CutMessage(window.messages[i], keep)) continue;
        const std::int64_t now = count(window.messages[i]);
        total += now - tokens[i];
        tokens[i] = now;
        ++window.cut;
      }
    }
  }
  window.tokens = total;
  return window;
}

}  // namespace talon::agent
