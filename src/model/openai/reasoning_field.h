// SPDX-License-Identifier: Apache-2.0
// The field in which most servers send reasoning. A reasoning part that came in it has this name as
// its signature: servers that use the field want it back with tool calls, those that use
// `reasoning` do not.
#pragma once

#include <string_view>

namespace talon::model {

inline constexpr std::string_view kReasoningContent = "reasoning_content";

}  // namespace talon::model
