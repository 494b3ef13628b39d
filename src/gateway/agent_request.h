// SPDX-License-Identifier: Apache-2.0
// From a Chat Completions request with `model: talon` to what the agent is asked. Pure functions.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "agent/agent.h"
#include "gateway/openai_wire.h"

namespace talon::gateway {

inline constexpr std::string_view kAgentModel = "talon";  // and "talon:NAME"

// InvalidArgument naming the first member that the agent can neither carry to its model nor do
// without: silently leaving it out would be another answer than was asked for.
absl::Status CheckMembers(const ChatCompletionRequest& chat);

enum class History {
  kWhole,
  kKept
};  // kKept: the daemon has it, only what is new at the end counts
agent::TurnInput InputOf(ChatCompletionRequest chat, History history);

}  // namespace talon::gateway
