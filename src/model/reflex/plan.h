// SPDX-License-Identifier: Apache-2.0
// What the reflex model does about one request of the user: says something or calls one tool.
// Decided from the user's words, the tools and the clock alone, so the same request gives the same
// plan in every round of a turn. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/reflex/texts.h"
#include "model/types.h"

namespace talon::model::reflex {

struct Plan {
  enum class Kind { kSay, kCall, kDecline };
  Kind kind = Kind::kDecline;
  std::string text;       // to say, or why it declines; of a call: what was passed over
  std::string tool;       // to call
  std::string arguments;  // JSON object
};

class Planner {
 public:
  // All must outlive the planner.
  Planner(const Texts& texts, const Clock& clock, const std::vector<ToolDefinition>& tools)
      : texts_(texts), clock_(clock), tools_(tools) {}

  Plan Make(std::string_view request) const;

 private:
  bool Explicit(std::string_view request, Plan& plan) const;
  bool SmallTalk(std::string_view request, Plan& plan) const;
  bool Arithmetic(std::string_view request, Plan& plan) const;
  Plan Tool(std::string_view request) const;
  Plan CallNamed(const ToolDefinition& tool, std::string_view rest) const;
  const ToolDefinition* Find(std::string_view name) const;

  const Texts& texts_;
  const Clock& clock_;
  const std::vector<ToolDefinition>& tools_;
};

// "a, then b and then c" as its steps; quoted text, code and JSON are not looked into.
std::vector<std::string_view> SplitSteps(std::string_view message);

}  // namespace talon::model::reflex
