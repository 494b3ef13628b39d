// SPDX-License-Identifier: Apache-2.0
#include "cli/approval_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/text.h"
#include "cli/report.h"

namespace talon::cli {
namespace {

std::vector<std::string> Names(const Json& json, std::string_view member) {
  std::vector<std::string> names;
  ForEach(json, member, [&](const Json& name) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  });
  return names;
}

std::string Sources(const Json& part) {
  const std::vector<std::string> names = Names(part, "found_in");
  if (!names.empty()) return fmt::format("found in {}", fmt::join(names, ", "));
  return JsonString(part, "source") == "untrusted" ? "too short to say where it comes from"
                                                   : "found nowhere";
}

// Each argument on a line, written so that nothing in it can pass for another.
std::string CallText(const Json& approval) {
  std::string text = JsonString(approval, "tool");
  const auto arguments = ParseJson(JsonString(approval, "arguments"), "arguments");
  if (!arguments.ok() || !arguments->is_object()) {
    return text + " " + JsonString(approval, "arguments");
  }
  for (const auto& [name, value] : arguments->items()) {
    text += fmt::format("\n  {} = {}", name, DumpJson(value));
  }
  return text;
}

std::string WhyNow(const Json& judgement) {
  if (JsonString(judgement, "context") == "clean") {
    return "the policy asks for such a call at any time";
  }
  const std::vector<std::string> outside = Names(judgement, "outside");
  return outside.empty() ? "this conversation has read what others wrote"
                         : fmt::format("this conversation has read what others wrote: {}",
                                       fmt::join(outside, ", "));
}

std::optional<WallTime> ReadTime(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute,
                  &second) != 6) {
    return std::nullopt;
  }
  const std::chrono::sys_days date = std::chrono::year{year} / month / day;
  return date + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

std::string Span(WallTime::duration time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  if (seconds < 60) return fmt::format("{} s", std::max<long>(seconds, 0));
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  return seconds < 48 * 3600 ? fmt::format("{} h", seconds / 3600)
                             : fmt::format("{} days", seconds / 86400);
}

std::string ForShell(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return quoted + "'";
}

// Arguments by which the policy judged; empty when one of them is not told by its name.
std::set<std::string> JudgedArguments(const Json& judgement) {
  std::set<std::string> names;
  bool told = true;
  ForEach(judgement, "sinks", [&](const Json& sink) {
    const std::string place = JsonString(sink, "argument");  // "to[0]", "mail.to"
    const std::string name = place.substr(0, place.find_first_of(".["));
    told &= !name.empty();
    names.insert(name);
  });
  return told ? names : std::set<std::string>{};
}

}  // namespace

std::string JudgementText(const Json& judgement, std::string_view told) {
  std::string text;
  ForEach(judgement, "sinks", [&](const Json& sink) {
    const std::string argument = JsonString(sink, "argument");
    text += argument.empty() ? "no argument says where it goes"
                             : fmt::format("{} ({}) = {}", argument, JsonString(sink, "kind"),
                                           JsonString(sink, "value"));
    text += fmt::format(": {}\n  rule: {}", JsonString(sink, "answer"), JsonString(sink, "rule"));
    if (const std::string at = JsonString(sink, "rule_at"); !at.empty()) {
      text += fmt::format(" ({})", at);
    }
    text += '\n';
    if (const std::string why = JsonString(sink, "why"); !why.empty() && why != told) {
      text += fmt::format("  why: {}\n", why);
    }
    ForEach(sink, "parts", [&](const Json& part) {
      text += fmt::format("  {} '{}': {}, {}\n", JsonString(part, "what"), JsonString(part, "text"),
                          JsonString(part, "source"), Sources(part));
    });
  });
  if (!text.empty()) text.pop_back();
  return text;
}

std::string ApprovalText(const Json& approval) {
  const std::string reason = JsonString(approval, "reason");
  std::string text = fmt::format("{}\nwhy: {}", CallText(approval), reason);
  if (const Json* judgement = JsonFind(approval, "judgement")) {
    text += fmt::format("\nwhy now: {}\n{}", WhyNow(*judgement), JudgementText(*judgement, reason));
  }
  return text;
}

std::string AgeText(const Json& approval, WallTime now) {
  const auto asked = ReadTime(JsonString(approval, "created_at"));
  const auto ends = ReadTime(JsonString(approval, "expires_at"));
  if (!asked || !ends) return "";
  const std::string age = fmt::format("asked {} ago", Span(now - *asked));
  if (JsonString(approval, "state") != "open") return age;
  return age + (*ends > now ? fmt::format(", expires in {}", Span(*ends - now)) : ", expires now");
}

std::optional<Json> GrantFor(const Json& approval) {
  const Json* judgement = JsonFind(approval, "judgement");
  const auto arguments = ParseJson(JsonString(approval, "arguments"), "arguments");
  if (judgement == nullptr || JsonString(approval, "factor") != "click" || !arguments.ok() ||
      !arguments->is_object()) {
    return std::nullopt;
  }
  const std::set<std::string> judged = JudgedArguments(*judgement);
  if (judged.empty()) return std::nullopt;
  for (const std::string& name : judged) {
    if (!arguments->contains(name)) return std::nullopt;
  }
  Json globs = Json::object();
  for (const auto& [name, value] : arguments->items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : DumpJson(value);
    // "" and "." are left out of a judgement, and would be let go anywhere by a '*'.
    const std::string_view bare = TrimSpace(text);
    const bool any =
        value.is_string() && !judged.contains(name) && !bare.empty() && bare != "." && bare != "./";
    if (!any && text.find_first_of("*?") != std::string::npos) return std::nullopt;
    globs[name] = any ? "*" : text;
  }
  Json grant = {{"tool", JsonString(approval, "tool")},
                {"arguments", std::move(globs)},
                {"for_seconds", kOfferedHours * 3600}};
  for (const char* who : {"agent", "user"}) {
    if (const std::string name = JsonString(approval, who); !name.empty()) grant[who] = name;
  }
  return grant;
}

std::string GrantCommand(const Json& grant) {
  std::string command = "talon grants add " + JsonString(grant, "tool");
  const Json* arguments = JsonFind(grant, "arguments");
  for (const auto& [name, glob] : arguments->items()) {
    command += " " + ForShell(name + "=" + glob.get<std::string>());
  }
  return fmt::format("{} --hours {}", command, JsonInt(grant, "for_seconds") / 3600);
}

}  // namespace talon::cli
