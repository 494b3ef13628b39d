// SPDX-License-Identifier: Apache-2.0
// '*' for any run of characters, '?' for one. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace talon::guard {

bool GlobMatches(std::string_view glob, std::string_view text);
bool AnyGlobMatches(const std::vector<std::string>& globs, std::string_view text);

}  // namespace talon::guard
