// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace talon::daemon {

// Set by the build from the project's version.
inline constexpr std::string_view kVersion = TALON_VERSION;

}  // namespace talon::daemon
