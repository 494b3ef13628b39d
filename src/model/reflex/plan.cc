// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "model/reflex/arithmetic.h"
#include "model/reflex/entities.h"
#include "model/reflex/extract.h"
#include "model/reflex/phrases.h"
#include "model/reflex/rank.h"

namespace talon::model::reflex {
namespace {

constexpr std::size_t kShown = 200;   // bytes of a request quoted back
constexpr std::size_t kMaxWords = 3;  // words of a request a tool may not know
constexpr double kTooClose = 0.95;    // a second score above this share of the first is a tie

std::string Shown(std::string_view request) {
  const std::string_view shown = TruncateUtf8(request, kShown);
  return std::string(shown) + (shown.size() < request.size() ? "…" : "");
}

bool OnlyOf(const Words& words, std::initializer_list<std::string_view> allowed) {
  return std::all_of(words.begin(), words.end(),
                     [&](const std::string& word) { return In(allowed, word); });
}

bool Contains(const Words& words, std::initializer_list<std::string_view> wanted) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return In(wanted, word); });
}

std::string_view Weekday(WallTime time) {
  constexpr std::string_view kNames[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};
  const std::chrono::weekday day{std::chrono::floor<std::chrono::days>(time)};
  return kNames[day.c_encoding()];
}

// The words of a sum as its signs: "two" stays, "6 times 7" becomes "6 * 7".
std::string WithSigns(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
      {" divided by ", " / "},    {" to the power of ", " ^ "},
      {" multiplied by ", " * "}, {" plus ", " + "},
      {" minus ", " - "},         {" times ", " * "},
      {" over ", " / "},          {" mod ", " % "}};
  std::string signs(text);
  for (const auto& [word, sign] : kSigns) {
    for (std::size_t at = signs.find(word); at != std::string::npos; at = signs.find(word, at)) {
      signs.replace(at, word.size(), sign);
    }
  }
  return signs;
}

// "cat a | grep b" is for a shell; another tool would drop half of it.
bool HasShellSigns(std::string_view request) {
  const std::string blanked = BlankEntities(request, FindEntities(request));
  return blanked.find_first_of("|<>;$") != std::string::npos ||
         blanked.find("&&") != std::string::npos;
}

bool TakesCommand(const std::vector<Parameter>& parameters) {
  return std::any_of(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
    return In({"command", "cmd", "script"}, parameter.name);
  });
}

bool FoldedEquals(std::string_view a, std::string_view b) {  // '.' is "__", '-' is '_'
  std::string folded;
  for (const char c : a) folded += c == '.' ? "__" : std::string(1, c == '-' ? '_' : c);
  std::string other(b);
  std::replace(other.begin(), other.end(), '-', '_');
  return EqualsIgnoreCase(folded, other);
}

}  // namespace

const ToolDefinition* Planner::Find(std::string_view name) const {
  for (const ToolDefinition& tool : tools_) {
    if (tool.name == name) return &tool;
  }
  for (const ToolDefinition& tool : tools_) {
    if (FoldedEquals(name, tool.name)) return &tool;
  }
  return nullptr;
}

Plan Planner::CallNamed(const ToolDefinition& tool, std::string_view rest) const {
  rest = TrimSpace(rest);
  if (rest.starts_with('{')) {
    const auto json = ParseJson(rest, "arguments");
    if (json.ok()) return {Plan::Kind::kCall, "", tool.name, DumpJson(*json)};
    return {Plan::Kind::kDecline,
            texts_.Say("bad_arguments",
                       {{"tool", tool.name}, {"cause", talon::Message(json.status())}}),
            "", ""};
  }
  const std::vector<Parameter> parameters = ParametersOf(tool);
  return {Plan::Kind::kCall, "", tool.name, ExtractArguments(parameters, "", rest).arguments};
}

bool Planner::Explicit(std::string_view request, Plan& plan) const {
  const bool slash = request.starts_with("/tool ");
  if (slash) request = TrimSpace(request.substr(6));
  const std::size_t end = std::min(request.find_first_of(" \t\n{"), request.size());
  const std::string_view name = request.substr(0, end);
  const bool written_out =
      name.find("__") != std::string_view::npos || name.find('.') != std::string_view::npos;
  if (!slash && !written_out) return false;
  if (const ToolDefinition* tool = Find(name); tool != nullptr) {
    plan = CallNamed(*tool, request.substr(end));
    return true;
  }
  if (!slash) return false;
  std::vector<std::string_view> names;
  for (const ToolDefinition& tool : tools_) names.push_back(tool.name);
  const std::string_view nearest = Nearest(name, names);
  plan.kind = Plan::Kind::kDecline;
  plan.text =
      texts_.Say("unknown_tool",
                 {{"tool", Shown(name)},
                  {"similar", nearest.empty() ? "" : fmt::format(" Did you mean {}?", nearest)}});
  return true;
}

bool Planner::SmallTalk(std::string_view request, Plan& plan) const {
  constexpr std::size_t kLongest = 120;  // bytes of a request that is small talk
  if (request.size() > kLongest) return false;
  const Words words = SplitWords(request);
  const std::string now = FormatTime(clock_.Now());
  std::vector<std::string_view> names;
  for (const ToolDefinition& tool : tools_) names.push_back(tool.name);
  const std::string tools = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
  plan.kind = Plan::Kind::kSay;
  if (words.empty()) {
    if (!TrimSpace(request).empty()) return false;
    plan.text = texts_.Say("no_message", {});
  } else if (words.size() <= 4 &&
             OnlyOf(words, {"hello", "hi", "hey", "good", "morning", "evening", "afternoon", "day",
                            "there", "talon", "greetings", "ping"}) &&
             Contains(words, {"hello", "hi", "hey", "morning", "evening", "afternoon", "greetings",
                              "ping"})) {
    plan.text = texts_.Say("hello", {});
  } else if (OnlyOf(words,
                    {"help", "me",    "please", "usage", "what",      "can",   "you",      "do",
                     "i",    "how",   "does",   "this",  "work",      "tools", "commands", "the",
                     "are",  "there", "for",    "show",  "configure", "model", "a",        "to"}) &&
             (Contains(words, {"help", "usage", "commands", "configure"}) ||
              (Contains(words, {"what", "how"}) && Contains(words, {"do", "work", "tools"})))) {
    plan.text = texts_.Say("help", {{"tools", tools}});
  } else if (OnlyOf(words, {"status", "are", "you", "there", "who", "what", "which", "model", "is",
                            "this", "version", "the", "your", "s", "using", "talon", "alive"}) &&
             Contains(words, {"status", "who", "model", "alive", "version", "there"})) {
    plan.text = texts_.Say("status",
                           {{"count", std::to_string(tools_.size())}, {"time", now.substr(11, 8)}});
  } else if (OnlyOf(words,
                    {"what", "what's",  "which", "time",  "date",    "day",  "is",    "it",
                     "the",  "current", "now",   "today", "today's", "tell", "me",    "please",
                     "do",   "you",     "have",  "clock", "of",      "week", "right", "and"}) &&
             Contains(words, {"time", "date", "day", "clock"})) {
    plan.text = texts_.Say("time", {{"time", now.substr(11, 8)},
                                    {"date", now.substr(0, 10)},
                                    {"weekday", Weekday(clock_.Now())}});
  } else {
    return false;
  }
  return true;
}

bool Planner::Arithmetic(std::string_view request, Plan& plan) const {
  std::string_view expression = TrimSpace(request);
  for (const std::string_view opening :
       {"what is ", "what's ", "how much is ", "calculate ", "compute ", "evaluate ", "solve "}) {
    if (expression.size() > opening.size() &&
        EqualsIgnoreCase(expression.substr(0, opening.size()), opening)) {
      expression = TrimSpace(expression.substr(opening.size()));
      break;
    }
  }
  while (!expression.empty() && (expression.back() == '?' || expression.back() == '=')) {
    expression = TrimSpace(expression.substr(0, expression.size() - 1));
  }
  const auto value = Evaluate(WithSigns(expression));
  if (absl::IsInvalidArgument(value.status())) return false;
  plan.kind = Plan::Kind::kSay;
  plan.text = value.ok() ? texts_.Say("value",
                                      {{"expression", expression}, {"value", FormatNumber(*value)}})
                         : texts_.Say("no_value", {{"expression", Shown(expression)},
                                                   {"cause", talon::Message(value.status())}});
  return true;
}

Plan Planner::Tool(std::string_view request) const {
  Plan declined;
  declined.text = texts_.Say(tools_.empty() ? "no_tools" : "declined", {{"step", Shown(request)}});
  struct Ready {
    const Candidate* candidate;
    std::string arguments;
    std::string passed_over;
    double score;
  };
  const std::vector<Candidate> candidates = RankTools(texts_, tools_, request);
  const bool shell_signs = HasShellSigns(request);
  std::vector<Ready> ready;
  std::vector<std::string> incomplete;
  for (const Candidate& candidate : candidates) {
    const std::vector<Parameter> parameters = ParametersOf(*candidate.tool);
    Extracted extracted = ExtractArguments(parameters, candidate.head, candidate.rest);
    const Words unknown = UnknownWords(texts_, *candidate.tool, extracted.words);
    if (unknown.size() > (extracted.arguments == "{}" ? 0 : kMaxWords)) continue;
    if (shell_signs && !TakesCommand(parameters)) continue;
    if (extracted.refers_back) {
      declined.text = texts_.Say("reference", {{"step", Shown(request)}});
      return declined;
    }
    if (extracted.missing.empty()) {
      const double score = candidate.score - 2.0 * static_cast<double>(extracted.unused);
      ready.push_back({&candidate, std::move(extracted.arguments),
                       fmt::format("{}", fmt::join(unknown, " ")), score});
      continue;
    }
    incomplete.push_back(candidate.tool->name);
    if (incomplete.size() > 1) continue;
    declined.text =
        texts_.Say("ask", {{"tool", candidate.tool->name},
                           {"missing", fmt::format("{}", fmt::join(extracted.missing, ", "))},
                           {"example", ExampleArguments(parameters)}});
  }
  if (ready.empty() && incomplete.size() > 1) {
    declined.text = texts_.Say(
        "ambiguous",
        {{"tools", fmt::format("{}", fmt::join(incomplete, ", "))}, {"first", incomplete.front()}});
  }
  if (ready.empty()) return declined;
  std::sort(ready.begin(), ready.end(), [](const Ready& a, const Ready& b) {
    return a.score != b.score ? a.score > b.score
                              : a.candidate->tool->name < b.candidate->tool->name;
  });
  const std::string& first = ready[0].candidate->tool->name;
  if (ready.size() > 1 && ready[1].score > kTooClose * ready[0].score) {
    declined.text = texts_.Say(
        "ambiguous", {{"tools", fmt::format("{}, {}", first, ready[1].candidate->tool->name)},
                      {"first", first}});
    return declined;
  }
  const std::string& words = ready[0].passed_over;
  return {Plan::Kind::kCall, words.empty() ? "" : texts_.Say("ignored", {{"words", words}}), first,
          std::move(ready[0].arguments)};
}

Plan Planner::Make(std::string_view request) const {
  request = TrimSpace(request);
  Plan plan;
  if (Explicit(request, plan) || SmallTalk(request, plan) || Arithmetic(request, plan)) return plan;
  return Tool(request);
}

std::vector<std::string_view> SplitSteps(std::string_view message) {
  const std::vector<Entity> entities = FindEntities(message);
  const std::string lower = ToLowerAscii(BlankEntities(message, entities));
  std::vector<std::string_view> steps;
  const auto add = [&](std::size_t begin, std::size_t end) {
    std::string_view step = TrimSpace(message.substr(begin, end - begin));
    while (!step.empty() && (step.back() == ',' || step.back() == ';')) {
      step = TrimSpace(step.substr(0, step.size() - 1));
    }
    if (step.size() > 4 && EqualsIgnoreCase(step.substr(step.size() - 4), " and")) {
      step = TrimSpace(step.substr(0, step.size() - 4));
    }
    while (!step.empty() && (step.back() == ',' || step.back() == ';')) step.remove_suffix(1);
    if (!step.empty()) steps.push_back(step);
  };
  std::size_t begin = 0;
  for (std::size_t at = lower.find("then"); at != std::string::npos;
       at = lower.find("then", at + 4)) {
    const auto blank = [&](std::size_t i) {
      return i >= lower.size() ||
             std::string_view(" \t\n,;").find(lower[i]) != std::string_view::npos;
    };
    if (at == 0 || !blank(at - 1) || !blank(at + 4)) continue;
    add(begin, at);
    begin = at + 4;
    while (begin < message.size() && (message[begin] == ',' || message[begin] == ' ')) ++begin;
  }
  add(begin, message.size());
  return steps;
}

}  // namespace talon::model::reflex
