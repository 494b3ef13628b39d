// SPDX-License-Identifier: Apache-2.0
// Small readers that the forms of guard/call_syntax.h share. Names are compared folded
// (guard/fold.h). Pure functions, any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "guard/fold.h"

namespace talon::guard {

inline constexpr std::size_t kNone = std::string_view::npos;
inline constexpr std::size_t kMaxWord = 40;  // bytes of a name, separators left out

template <std::size_t N>
bool In(const std::string_view (&names)[N], std::string_view word) {
  return std::any_of(std::begin(names), std::end(names), [word](std::string_view name) {
    return name.size() == word.size() && name[0] == word[0] && name == word;
  });
}

inline bool IsLetter(char folded) {
  return folded >= 'a' && folded <= 'z';
}
inline bool IsWord(char folded) {
  return IsLetter(folded) || (folded >= '0' && folded <= '9');
}
inline bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
inline bool IsSeparator(char c) {
  return c == '_' || c == '-' || c == '.' || c == kSkip || IsSpace(c);
}

inline bool IsIdentifier(char c) {
  return IsWord(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

inline std::size_t SkipSpaces(std::string_view text, std::size_t at) {
  for (Folded next = FoldAt(text, at); IsSpace(next.c) || next.c == kSkip;
       next = FoldAt(text, at)) {
    at += next.size;
  }
  return at;
}

inline char CharAt(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

}  // namespace talon::guard
