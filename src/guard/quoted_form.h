// SPDX-License-Identifier: Apache-2.0
// Calls as JSON, in any nesting of quotes: {"tool":…}, "tool_calls":[, "type":"function",
// "method":"tools/call". Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace talon::guard {

// As FindForm, for the quote at `at`.
std::size_t FindQuotedForm(std::string_view text, std::size_t at);

}  // namespace talon::guard
