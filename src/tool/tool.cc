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

std::string_view AnswerActionName(AnswerAction action) {
  switch (action) {
    case AnswerAction::kAccept:
      return "accept";
    case AnswerAction::kDecline:
      return "decline";
    case AnswerAction::kCancel:
      break;
  }
  return "cancel";
}

absl::StatusOr<AnswerAction> ParseAnswerAction(std::string_view name) {
  for (const AnswerAction action :
       {AnswerAction::kAccept, AnswerAction::kDecline, AnswerAction::kCancel}) {
    if (name == AnswerActionName(action)) return action;
  }
  return InvalidArgument(
      fmt::format("action: '{}' is not one of accept, decline, cancel", name.substr(0, 32)));
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
