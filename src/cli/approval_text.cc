// SPDX-License-Identifier: Apache-2.0
#include "cli/approval_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/report.h"

namespace talon::cli {
namespace {

std::string Sources(const Json& part) {
  std::vector<std::string> names;
  if (const Json* list = JsonFind(part, "found_in"); list != nullptr && list->is_array()) {
    for (const Json& name : *list) {
      if (name.is_string()) names.push_back(name.get<std::string>());
    }
  }
  return names.empty() ? "found nowhere" : fmt::format("found in {}", fmt::join(names, ", "));
}

}  // namespace

std::string JudgementText(const Json& judgement) {
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
    if (const std::string why = JsonString(sink, "why"); !why.empty()) {
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
  std::string text = fmt::format("{} {}\nwhy: {}", JsonString(approval, "tool"),
                                 JsonString(approval, "arguments"), JsonString(approval, "reason"));
  if (const Json* judgement = JsonFind(approval, "judgement")) {
    text += "\n" + JudgementText(*judgement);
  }
  return text;
}

Json ApprovalQuestion(const Json& approval) {
  Json question = {{"tool", JsonString(approval, "tool")},
                   {"is_approval", true},
                   {"text", ApprovalText(approval)}};
  if (JsonString(approval, "factor") == "code") {
    const std::string at = JsonString(approval, "code_at", "the code's channel");
    question["text"] = JsonString(question, "text") + "\nThe code is in " + at + ".";
    question["schema"] = {{"type", "object"},
                          {"properties", {{"code", {{"type", "string"}}}}},
                          {"required", {"code"}}};
    question["fields"] = {"code"};
  }
  return question;
}

}  // namespace talon::cli
