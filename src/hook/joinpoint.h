// SPDX-License-Identifier: Apache-2.0
// The catalogue of joinpoints: the places of the loop at which advice is asked. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace talon::hook {

enum class Joinpoint {
  kInputReceived,        // a text of the person, before the turn begins with it
  kToolBeforeCall,       // the arguments of a call the guard has allowed, as JSON
  kToolResultReceived,   // what a tool gave, before it is sanitised and wrapped
  kResponseBeforeFinal,  // a text of the model, before anybody sees or keeps it
};
inline constexpr int kJoinpoints = 4;

// "tool.before_call"
std::string_view JoinpointName(Joinpoint at);
// By name or alias ("before_tool_call").
std::optional<Joinpoint> FindJoinpoint(std::string_view name);
// All names, for error texts.
std::string JoinpointNames();

}  // namespace talon::hook
