// SPDX-License-Identifier: Apache-2.0
// Forms in brackets: <tool_call>, [TOOL_CALLS], <|im_start|>, <<SYS>>, our envelopes. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "guard/fold.h"

namespace talon::guard {

// As FindForm, for the bracket `opener` at `at`.
std::size_t FindBracketForm(std::string_view text, std::size_t at, const Folded& opener);

}  // namespace talon::guard
