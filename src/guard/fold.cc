// SPDX-License-Identifier: Apache-2.0
#include "guard/fold.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace talon::guard {
namespace {

// Characters that compatibility folding leaves alone. Sorted by code point.
constexpr std::array<std::pair<std::int32_t, char>, 66> kLookAlikes{{
    {0x131, 'i'},  {0x251, 'a'},  {0x261, 'g'},  {0x26A, 'i'},  {0x28F, 'y'},  {0x3B1, 'a'},
    {0x3B9, 'i'},  {0x3BA, 'k'},  {0x3BD, 'v'},  {0x3BF, 'o'},  {0x3C1, 'p'},  {0x3C4, 't'},
    {0x3C5, 'u'},  {0x3F2, 'c'},  {0x3F3, 'j'},  {0x430, 'a'},  {0x433, 'r'},  {0x435, 'e'},
    {0x43A, 'k'},  {0x43C, 'm'},  {0x43D, 'h'},  {0x43E, 'o'},  {0x43F, 'n'},  {0x440, 'p'},
    {0x441, 'c'},  {0x442, 't'},  {0x443, 'y'},  {0x445, 'x'},  {0x455, 's'},  {0x456, 'i'},
    {0x458, 'j'},  {0x4BB, 'h'},  {0x4CF, 'l'},  {0x501, 'd'},  {0x51B, 'q'},  {0x51D, 'w'},
    {0x570, 'h'},  {0x578, 'n'},  {0x57D, 'u'},  {0x581, 'g'},  {0x585, 'o'},  {0x1D0F, 'o'},
    {0x2010, '-'}, {0x2012, '-'}, {0x2013, '-'}, {0x2014, '-'}, {0x2039, '<'}, {0x203A, '>'},
    {0x2045, '['}, {0x2046, ']'}, {0x2212, '-'}, {0x2329, '<'}, {0x232A, '>'}, {0x2581, '_'},
    {0x276C, '<'}, {0x276D, '>'}, {0x276E, '<'}, {0x276F, '>'}, {0x27E6, '['}, {0x27E7, ']'},
    {0x27E8, '<'}, {0x27E9, '>'}, {0x3008, '<'}, {0x3009, '>'}, {0x3010, '['}, {0x3011, ']'},
}};

char LookAlike(std::int32_t c) {
  const auto it =
      std::lower_bound(kLookAlikes.begin(), kLookAlikes.end(), c,
                       [](const auto& item, std::int32_t value) { return item.first < value; });
  if (it != kLookAlikes.end() && it->first == c) return it->second;
  if (c == 0x3014) return '[';
  if (c == 0x3015) return ']';
  return kOther;
}

char FoldWide(std::int32_t c) {
  if (c == 0x200C || c == 0x200D || c == 0xFE0E || c == 0xFE0F) return kSkip;
  const utf8proc_category_t category = utf8proc_category(c);
  if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME) return kSkip;
  if (const char direct = LookAlike(c); direct != kOther) return direct;
  std::array<std::int32_t, 20> folded{};
  int boundary = 0;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(c, folded.data(), folded.size(), options, &boundary);
  if (count < 1) return kOther;
  if (folded[0] < 0x80) return static_cast<char>(folded[0]);
  return LookAlike(folded[0]);
}

}  // namespace

Folded FoldWideAt(std::string_view text, std::size_t at) {
  std::int32_t wide = 0;
  const utf8proc_ssize_t size =
      utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at,
                       static_cast<utf8proc_ssize_t>(text.size() - at), &wide);
  if (size <= 0) return {kOther, 1};
  return {FoldWide(wide), static_cast<std::size_t>(size)};
}

}  // namespace talon::guard
