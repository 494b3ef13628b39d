// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/turn.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "model/reflex/plan.h"

namespace talon::model::reflex {
namespace {

constexpr std::size_t kMaxRequest = 64 << 10;  // bytes of a message that is looked at
constexpr std::size_t kMaxSteps = 10;
constexpr std::size_t kNotFound = static_cast<std::size_t>(-1);

struct Done {
  std::string tool;
  const ToolResult* result = nullptr;
};

// The user's last words. Notes the core adds in the user's place carry the system's label.
std::size_t LastUserMessage(const ChatRequest& request) {
  for (std::size_t i = request.messages.size(); i-- > 0;) {
    const Message& message = request.messages[i];
    if (message.role == Role::kUser && message.label.integrity != Integrity::kSystem &&
        !TrimSpace(TextOf(message)).empty()) {
      return i;
    }
  }
  return kNotFound;
}

std::vector<Done> CallsSince(const ChatRequest& request, std::size_t user) {
  std::vector<Done> calls;
  std::vector<std::string> ids;
  for (std::size_t i = user + 1; i < request.messages.size(); ++i) {
    for (const Part& part : request.messages[i].parts) {
      if (const auto* call = std::get_if<ToolCall>(&part)) {
        calls.push_back({call->name, nullptr});
        ids.push_back(call->id);
      } else if (const auto* result = std::get_if<ToolResult>(&part)) {
        const auto id = std::find(ids.rbegin(), ids.rend(), result->call_id);
        if (id != ids.rend()) {
          calls[static_cast<std::size_t>(ids.rend() - id) - 1].result = result;
        }
      }
    }
  }
  return calls;
}

class Turn {
 public:
  Turn(const Texts& texts, const Planner& planner, const ChatRequest& request)
      : texts_(texts), planner_(planner), request_(request) {}

  Answer Run() {
    const std::size_t user = LastUserMessage(request_);
    if (user == kNotFound) return {texts_.Say("no_message", {}), std::nullopt};
    const std::string message = TextOf(request_.messages[user]);
    calls_ = CallsSince(request_, user);
    if (message.size() > kMaxRequest) {
      return {texts_.Say("declined", {{"step", TruncateUtf8(message, 100)}}), std::nullopt};
    }
    for (const auto& [step, plan] : Plans(message)) {
      if (plan.kind != Plan::Kind::kCall) {
        Add(plan.text);
        if (plan.kind == Plan::Kind::kDecline) break;
        continue;
      }
      if (next_ < calls_.size()) {
        if (!ReportNext(plan)) break;
        continue;
      }
      if (failed_) {
        Add(texts_.Say("not_run", {{"step", step}}));
      } else if (request_.tool_choice == ToolChoice::kNone) {
        Add(texts_.Say("not_called", {{"step", step}}));
      } else {
        return {"", ToolCall{"", plan.tool, plan.arguments, ""}};
      }
    }
    return {std::move(text_), std::nullopt};
  }

 private:
  using Steps = std::vector<std::pair<std::string, Plan>>;

  // All steps; the whole message as one when a part of it is not understood.
  Steps Plans(const std::string& message) const {
    Steps plans;
    const std::vector<std::string_view> steps = SplitSteps(message);
    if (steps.size() > 1 && steps.size() <= kMaxSteps) {
      for (const std::string_view step : steps) {
        plans.emplace_back(step, planner_.Make(step));
        if (plans.back().second.kind == Plan::Kind::kDecline) break;
      }
      if (plans.back().second.kind != Plan::Kind::kDecline) return plans;
    }
    Plan whole = planner_.Make(message);
    // A "then" may belong to a text; elsewhere it would drop what follows it.
    const bool kept = whole.kind == Plan::Kind::kCall &&
                      ToLowerAscii(whole.arguments).find("then") != std::string::npos;
    if (plans.empty() || kept) {
      plans.clear();
      plans.emplace_back(message, std::move(whole));
    } else {
      // Nothing is begun that cannot be finished; the reason is the step's own.
      plans.erase(plans.begin(), plans.end() - 1);
    }
    return plans;
  }

  // False when the calls so far are not this model's.
  bool ReportNext(const Plan& plan) {
    if (calls_[next_].tool != plan.tool) {
      Add(texts_.Say("foreign", {}));
      for (; next_ < calls_.size(); ++next_) Report(calls_[next_]);
      return false;
    }
    Report(calls_[next_++]);
    if (!plan.text.empty()) Add(plan.text);
    return true;
  }

  void Report(const Done& done) {
    const bool failed = done.result == nullptr || done.result->is_error;
    failed_ |= failed;
    const std::string content = done.result == nullptr ? "no result" : Unwrap(done.result->content);
    Add(texts_.Say(failed ? "failed" : "result", {{"tool", done.tool}, {"content", content}}));
  }

  void Add(std::string_view text) {
    if (!text_.empty()) text_ += "\n\n";
    text_ += text;
  }

  const Texts& texts_;
  const Planner& planner_;
  const ChatRequest& request_;
  std::vector<Done> calls_;  // made since the user's message
  std::size_t next_ = 0;     // first of them not reported yet
  bool failed_ = false;
  std::string text_;
};

}  // namespace

std::string Unwrap(std::string_view content) {
  constexpr std::string_view kOpen = "[plugin_output";
  constexpr std::string_view kClose = "\n[/plugin_output]";
  const std::size_t line = content.find('\n');
  const std::size_t close = content.rfind(kClose);
  if (!content.starts_with(kOpen) || line == std::string_view::npos ||
      close == std::string_view::npos || close < line) {
    return std::string(TrimSpace(content));
  }
  const std::string_view body =
      close > line ? content.substr(line + 1, close - line - 1) : std::string_view();
  const std::string_view notice = TrimSpace(content.substr(close + kClose.size()));
  std::string text(body);
  if (!notice.empty()) text.append("\n").append(notice);
  return text;
}

Answer MakeAnswer(const Texts& texts, const Clock& clock, const ChatRequest& request) {
  const Planner planner(texts, clock, request.tools);
  return Turn(texts, planner, request).Run();
}

}  // namespace talon::model::reflex
