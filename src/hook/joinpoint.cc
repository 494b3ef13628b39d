// SPDX-License-Identifier: Apache-2.0
#include "hook/joinpoint.h"

#include <array>

namespace talon::hook {
namespace {

struct Known {
  Joinpoint at;
  std::string_view name, alias;
};

constexpr std::array<Known, kJoinpoints> kTable{{
    {Joinpoint::kInputReceived, "input.received", "on_user_input"},
    {Joinpoint::kToolBeforeCall, "tool.before_call", "before_tool_call"},
    {Joinpoint::kToolResultReceived, "tool.result.received", "tool_result"},
    {Joinpoint::kResponseBeforeFinal, "response.before_final", "before_response"},
}};

}  // namespace

std::string_view JoinpointName(Joinpoint at) {
  for (const Known& known : kTable) {
    if (known.at == at) return known.name;
  }
  return "unknown";
}

std::optional<Joinpoint> FindJoinpoint(std::string_view name) {
  for (const Known& known : kTable) {
    if (known.name == name || known.alias == name) return known.at;
  }
  return std::nullopt;
}

std::string JoinpointNames() {
  std::string names;
  for (const Known& known : kTable) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

}  // namespace talon::hook
