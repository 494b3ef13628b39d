// SPDX-License-Identifier: Apache-2.0
// Chats as the messages of talon.v1.ModelProvider: without loss, but for what is never sent to a
// provider (labels, other providers' reasoning). Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "model/types.h"

namespace talon::plugin {

inline constexpr std::string_view kCompleteMethod = "/talon.v1.ModelProvider/Complete";

// Reasoning is given back to the provider it came from only. InvalidArgument when an image is not
// base64.
absl::StatusOr<std::string> EncodeChatRequest(const model::ChatRequest& request,
                                              std::string_view provider);

struct TextDelta {
  std::string text;
};
struct ReasoningDelta {
  std::string text;
};
struct CallDelta {
  std::string id, name;
};
using ChatDelta = std::variant<TextDelta, ReasoningDelta, CallDelta, model::ChatResponse>;

// Internal/kPluginMisbehaved when `bytes` is no ChatDelta, an empty one, or not UTF-8.
absl::StatusOr<ChatDelta> DecodeChatDelta(std::string_view bytes);

}  // namespace talon::plugin
