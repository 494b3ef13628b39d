// SPDX-License-Identifier: Apache-2.0
// Reads text as a careless reader would: any case, full-width and mathematical letters, Cyrillic
// and Greek letters that look Latin, brackets of other scripts. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace talon::guard {

inline constexpr char kSkip = '\1';   // joiners, marks: as if they were not there
inline constexpr char kOther = '\2';  // looks like nothing in ASCII

struct Folded {
  char c = '\0';         // lower-case ASCII, kSkip, kOther; '\0' at the end
  std::size_t size = 0;  // bytes it stands for
};

Folded FoldWideAt(std::string_view text, std::size_t at);

// `text` must be valid UTF-8 and `at` the start of a character or the end.
inline Folded FoldAt(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const char c = text[at];
  if (static_cast<unsigned char>(c) >= 0x80) return FoldWideAt(text, at);
  return {c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c, 1};
}

}  // namespace talon::guard
