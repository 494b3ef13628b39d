// SPDX-License-Identifier: Apache-2.0
// Text that somebody else wrote (a model, a plugin, a file), for a person's terminal. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace talon {

// Whatever could move a terminal's cursor, change its colours or the order of what is read becomes
// a visible mark: control characters but '\n' and '\t', bidirectional controls, and bytes that are
// no UTF-8 (a terminal may take 0x9b for the start of a sequence).
std::string ForTerminal(std::string_view text);

}  // namespace talon
