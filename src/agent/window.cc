// SPDX-License-Identifier: Apache-2.0
#include "agent/window.h"

#include <algorithm>
#include <deque>
#include <string>

namespace talon::agent {
namespace {

struct Item {
  const model::Message* message;
  std::int64_t tokens = 0;
};

// Pairs every call with a result: drops strays, adds "[no result]". `made` owns what is new.
class Pairing {
 public:
  explicit Pairing(std::deque<model::Message>& made) : made_(made) {}

  void Add(const model::Message& message) {
    if (message.role == model::Role::kTool) {
      AddResults(message);
      return;
    }
    CloseOpenCalls();
    items_.push_back({&message});
    if (message.role != model::Role::kAssistant) return;
    for (const model::Part& part : message.parts) {
      if (const auto* call = std::get_if<model::ToolCall>(&part)) open_.push_back(call);
    }
    answer_ = &message;
  }
  std::vector<Item> Take() {
    CloseOpenCalls();
    return std::move(items_);
  }

 private:
  // Whether the result's call is open; then it is no more.
  bool Close(const model::Part& part) {
    const auto* result = std::get_if<model::ToolResult>(&part);
    if (result == nullptr) return false;
    return std::erase_if(
               open_, [&](const model::ToolCall* call) { return call->id == result->call_id; }) > 0;
  }

  void AddResults(const model::Message& message) {
    std::vector<model::Part> kept;
    for (const model::Part& part : message.parts) {
      if (Close(part)) kept.push_back(part);
    }
    if (kept.size() == message.parts.size()) {
      items_.push_back({&message});
    } else if (!kept.empty()) {
      made_.push_back({model::Role::kTool, std::move(kept), message.label});
      items_.push_back({&made_.back()});
    }
  }

  void CloseOpenCalls() {
    for (const model::ToolCall* call : std::exchange(open_, {})) {
      made_.push_back({model::Role::kTool,
                       {model::ToolResult{.call_id = call->id,
                                          .name = call->name,
                                          .content = "[no result]",
                                          .is_error = true}},
                       answer_->label});
      items_.push_back({&made_.back()});
    }
  }

  std::deque<model::Message>& made_;
  std::vector<Item> items_;
  std::vector<const model::ToolCall*> open_;
  const model::Message* answer_ = nullptr;  // whose calls are open
};

bool IsUser(const Item& item) {
  return item.message->role == model::Role::kUser;
}

// The current exchange alone is too large.
std::int64_t ShortenAll(Window& window, const std::vector<Item>& items, std::int64_t budget,
                        const TokenCount& count, const KeepWhole& keep) {
  std::vector<Shortenable> messages;
  for (std::size_t i = 0; i < items.size(); ++i) {
    messages.push_back({&window.messages[i], items[i].message, items[i].tokens});
  }
  const std::int64_t total = Shorten(messages, budget, count, keep);
  for (const Shortenable& message : messages) {
    if (message.message->parts == message.original->parts) continue;
    ++window.cut;
    if (message.original->role != model::Role::kUser) continue;
    window.cut_user_bytes =
        std::max(window.cut_user_bytes, model::TextOf(*message.original).size());
  }
  return total;
}

}  // namespace

Window FitWindow(const std::vector<const model::Message*>& history, std::int64_t budget,
                 const TokenCount& count, const KeepWhole& keep) {
  std::deque<model::Message> made;
  Pairing pairing(made);
  for (const model::Message* message : history) pairing.Add(*message);
  std::vector<Item> all = pairing.Take();
  std::int64_t total = 0;
  for (Item& item : all) total += item.tokens = count(*item.message);

  // Whole exchanges, each opened by a user message, fall out at the old end; so does the rest of
  // one whose opening the session no longer has.
  std::size_t last_user = all.size();
  while (last_user > 0 && !IsUser(all[last_user - 1])) --last_user;
  last_user = last_user > 0 ? last_user - 1 : 0;
  std::size_t first = 0;
  while (first < last_user && (total > budget || !IsUser(all[first]))) {
    do {
      total -= all[first++].tokens;
    } while (first < last_user && !IsUser(all[first]));
  }

  Window window;
  window.dropped = first;
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first));
  window.messages.reserve(all.size());
  for (const Item& item : all) window.messages.push_back(*item.message);

  if (total > budget) total = ShortenAll(window, all, budget, count, keep);
  window.tokens = total;
  return window;
}

}  // namespace talon::agent
