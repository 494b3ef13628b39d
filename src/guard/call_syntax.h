// SPDX-License-Identifier: Apache-2.0
// Finds what some model or parser reads as a tool call, a role marker or an end of our envelopes.
// Each form is recognised at its opener; a mark put there breaks it. Pure function, any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace talon::guard {

// Put after the opener (before the word where a line start opens). No form contains it.
inline constexpr char kMark = '~';

// Where the mark belongs that breaks the form opened at `at` (start of a character), or npos when
// nothing is opened there. `text` is clean (guard/clean_text.h). Looks at most some hundred bytes
// on.
std::size_t FindForm(std::string_view text, std::size_t at);

// The same for forms opened by the start of a line ("Human:"), which is at `at`.
std::size_t FindLineForm(std::string_view text, std::size_t at);

}  // namespace talon::guard
