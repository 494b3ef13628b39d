// SPDX-License-Identifier: Apache-2.0
#include "model/anthropic/generation.h"

#include <charconv>

namespace talon::model {

ClaudeGeneration GenerationOf(std::string_view model) {
  std::size_t claude = model.find("claude-");
  if (claude == std::string_view::npos) return {};
  std::string_view rest = model.substr(claude + 7);
  // Until 3.7 the number came before the family, and dates follow both.
  if (rest.empty() || (rest.front() >= '0' && rest.front() <= '9')) return {};
  std::size_t dash = rest.find('-');
  if (dash == std::string_view::npos) return {};
  int numbers[2] = {0, 0};
  for (int& number : numbers) {
    if (dash >= rest.size() || (rest[dash] != '-' && rest[dash] != '.')) break;
    const char* begin = rest.data() + dash + 1;
    int value = 0;
    auto [end, error] = std::from_chars(begin, rest.data() + rest.size(), value);
    if (error != std::errc() || value >= 100) break;  // a date
    number = value;
    dash = static_cast<std::size_t>(end - rest.data());
  }
  int version = numbers[0] * 100 + numbers[1];
  return {.thinking = version >= 406 ? ThinkingStyle::kAdaptive : ThinkingStyle::kBudget,
          .sampling = version < 407};
}

}  // namespace talon::model
