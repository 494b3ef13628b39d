// SPDX-License-Identifier: Apache-2.0
// Lines for the daemon's log: written to stderr as "[LEVEL] text", one write a line. Any thread.
// Never arguments, contents or secrets.
#pragma once

#include <string_view>

namespace talon::sdk {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Control characters of `text` are replaced by spaces.
void Log(LogLevel level, std::string_view text);

}  // namespace talon::sdk
