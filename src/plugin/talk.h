// SPDX-License-Identifier: Apache-2.0
// The messages of a call in which the plugin says more than its answer: ExecuteStream and Converse
// of talon.v1.Plugin, as bytes. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "tool/events.h"

namespace talon::plugin {

inline constexpr std::string_view kExecuteStreamMethod = "/talon.v1.Plugin/ExecuteStream";
inline constexpr std::string_view kConverseMethod = "/talon.v1.Plugin/Converse";
inline constexpr std::string_view kWatchMethod = "/talon.v1.Plugin/Watch";

struct PluginQuestion {
  std::string id;  // the plugin's, unique in its call
  tool::Question question;
};

// The serialised ExecuteResponse that ends the call.
struct PluginResult {
  std::string bytes;
};

using PluginSays = std::variant<tool::Progress, PluginQuestion, PluginResult>;

// Internal/kPluginMisbehaved when `bytes` is no such message, or an empty one.
absl::StatusOr<PluginSays> DecodeExecuteUpdate(std::string_view bytes);
absl::StatusOr<PluginSays> DecodePluginMessage(std::string_view bytes);

// The first message of Converse, from a serialised ExecuteRequest.
std::string EncodeHostCall(std::string_view execute_request);
std::string EncodeHostAnswer(const std::string& question_id, const tool::Answer& answer);

// True when the event says that the tools have changed; others are of a later contract.
bool SaysToolsChanged(std::string_view plugin_event);

}  // namespace talon::plugin
