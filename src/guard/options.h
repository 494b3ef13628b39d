// SPDX-License-Identifier: Apache-2.0
// Limits of tool calls and their results. Every default stands here once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/option_limit.h"
#include "guard/firewall_options.h"

namespace talon::guard {

struct GuardOptions {
  std::chrono::milliseconds tool_timeout{30'000};
  Bytes max_result{64 << 10};
  Bytes max_arguments{1 << 20};
  Bytes max_compensation{16 << 10};
  Bytes max_progress{200};
  Bytes max_question{4 << 10};
  Bytes max_question_schema{32 << 10};
  std::uint32_t max_question_fields = 50;
  std::string policy;
  std::vector<std::string> verbatim{"files", "shell"};
  bool mark_blanks = false;
  FirewallOptions firewall;

  static constexpr auto Fields() {
    using O = GuardOptions;
    return std::make_tuple(
        Option("tool_timeout", &O::tool_timeout, kPositive,
               "Deadline of a tool call where the tool or its plugin's config sets none.",
               Reload::kRestart),
        Option("max_result", &O::max_result, kPositive,
               "Most bytes of a result given to the model; the rest is kept as an artifact.",
               Reload::kRestart),
        Option("max_arguments", &O::max_arguments, kPositive, "Largest arguments object of a call.",
               Reload::kRestart),
        Option("max_compensation", &O::max_compensation,
               "Largest arguments with which a tool says its call can be undone; larger ones are "
               "not kept.",
               Reload::kRestart),
        Option("max_progress", &O::max_progress, "Longest line of progress of a call.",
               Reload::kRestart),
        Option("max_question", &O::max_question,
               "Longest question a tool may ask the person; longer ones are refused.",
               Reload::kRestart),
        Option("max_question_schema", &O::max_question_schema,
               "Largest schema of a question's answer; larger ones are refused.", Reload::kRestart),
        Option("max_question_fields", &O::max_question_fields,
               "Most fields of a question's answer; more are refused.", Reload::kRestart),
        Option(
            "policy", &O::policy,
            "Policy file whose rules come before the built-in ones; see docs/guard.md. Read again "
            "on SIGHUP."),
        Option(
            "verbatim", &O::verbatim,
            "Plugins whose text is edited by what was read of it: HTML comments, hidden elements "
            "and images from elsewhere stay as they are in their results. In all others they are "
            "broken with a '~', so that they show and load nothing.",
            Reload::kRestart),
        Option("mark_blanks", &O::mark_blanks,
               "Datamarking: blanks in results reach the model as 'ˆ', so that it cannot take them "
               "for instructions. Costs tokens, and edits by what was read no longer fit.",
               Reload::kRestart),
        Option("firewall", &O::firewall,
               "Messages of those who are not the owner, before they are read by a model.",
               Reload::kRestart));
  }
};

}  // namespace talon::guard
