// SPDX-License-Identifier: Apache-2.0
// Whether a text is JSON, without building anything of it. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace talon {

inline constexpr std::size_t kMostJsonLevels = 128;

// One value of RFC 8259 that every parser takes: no half of a surrogate pair, no number beyond a
// double, nested at most `levels`, which is at most kMostJsonLevels. Bytes of strings are not
// looked at beyond their escapes: UTF-8 is the caller's to check.
bool IsJsonText(std::string_view text, std::size_t levels = kMostJsonLevels);

// The UTF-16 unit of the escape "\uXXXX" at `position`, or -1.
long EscapedUnit(std::string_view text, std::size_t position);

}  // namespace talon
