// SPDX-License-Identifier: Apache-2.0
// `guard.firewall:` of talon.yaml. Every default stands here once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "base/option_limit.h"

namespace talon::guard {

enum class FirewallProfile { kOff, kBalanced, kStrict };
constexpr auto EnumNames(FirewallProfile) {
  return std::array{std::pair{"off", FirewallProfile::kOff},
                    std::pair{"balanced", FirewallProfile::kBalanced},
                    std::pair{"strict", FirewallProfile::kStrict}};
}

struct FirewallOptions {
  FirewallProfile profile = FirewallProfile::kBalanced;
  std::uint32_t max_characters = 10'000;
  std::string rules_file;

  static constexpr auto Fields() {
    using O = FirewallOptions;
    return std::make_tuple(
        Option("profile", &O::profile,
               "What is refused of those who are not the owner (channels, other users of the API): "
               "'balanced' refuses plain attacks, 'strict' also words that ordinary messages hold "
               "('act as', 'sudo'), 'off' nothing."),
        Option("max_characters", &O::max_characters, Between(100, 100'000),
               "Longest message of theirs, in characters."),
        Option("rules_file", &O::rules_file,
               "Further rules, a file like config/firewall/rules.yaml."));
  }
};

}  // namespace talon::guard
