// SPDX-License-Identifier: Apache-2.0
#include "tool/tool.h"

#include <array>
#include <utility>

#include "base/status.h"

namespace talon::tool {
namespace {

constexpr std::array<std::pair<std::string_view, EffectClass>, 6> kEffects{{
    {"read", EffectClass::kRead},
    {"write", EffectClass::kWrite},
    {"send", EffectClass::kSend},
    {"exec", EffectClass::kExec},
    {"spend", EffectClass::kSpend},
    {"admin", EffectClass::kAdmin},
}};

}  // namespace

std::string_view EffectClassName(EffectClass effect) {
  for (const auto& [name, value] : kEffects) {
    if (value == effect) return name;
  }
  return "admin";  // an unknown effect is treated as the strongest
}

absl::StatusOr<EffectClass> ParseEffectClass(std::string_view name) {
  for (const auto& [known, value] : kEffects) {
    if (known == name) return value;
  }
  return InvalidArgument(fmt::format(
      "effect '{}' is not known; allowed: read, write, send, exec, spend, admin", name));
}

int TrustTier(EffectClass effect) {
  switch (effect) {
    case EffectClass::kRead:
      return 0;
    case EffectClass::kWrite:
      return 1;
    case EffectClass::kSend:
    case EffectClass::kExec:
      return 2;
    case EffectClass::kSpend:
    case EffectClass::kAdmin:
      break;
  }
  return 3;
}

}  // namespace talon::tool
