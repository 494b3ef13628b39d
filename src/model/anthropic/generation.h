// SPDX-License-Identifier: Apache-2.0
// What a Claude model's name says about the parameters it takes. Pure, any thread.
#pragma once

#include <string_view>

namespace talon::model {

enum class ThinkingStyle { kBudget, kAdaptive };

struct ClaudeGeneration {
  ThinkingStyle thinking = ThinkingStyle::kBudget;  // 4.6 and later choose their own budget
  bool sampling = true;                             // 4.7 and later refuse temperature and top_p
};

// "claude-sonnet-4-5-20250929", "claude-opus-4-7", "claude-3-7-sonnet-latest"; a name that is none
// of Claude's gets what most servers of this wire take.
ClaudeGeneration GenerationOf(std::string_view model);

}  // namespace talon::model
