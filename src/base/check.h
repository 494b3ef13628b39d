// SPDX-License-Identifier: Apache-2.0
// TALON_CHECK(condition): an invariant of this program. Ends the process with file and line when it
// does not hold. Never for anything a user, model, plugin, script, file or network said.
#pragma once

namespace talon {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace talon

#define TALON_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::talon::CheckFailed(#condition, __FILE__, __LINE__))
