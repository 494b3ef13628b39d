// SPDX-License-Identifier: Apache-2.0
// UTF-8 and small text operations. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace talon {

bool IsValidUtf8(std::string_view text);

// Offset of the first byte that is not part of valid UTF-8, or npos.
std::size_t FindInvalidUtf8(std::string_view text);

// Invalid sequences become U+FFFD; valid text is returned unchanged.
std::string RepairUtf8(std::string_view text);

// The longest prefix of at most `max_bytes` that does not split a character.
std::string_view TruncateUtf8(std::string_view text, std::size_t max_bytes);

std::string_view TrimSpace(std::string_view text);
std::string ToLowerAscii(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::vector<std::string_view> SplitLines(std::string_view text);
std::string HexEncode(std::string_view bytes);

// Levenshtein distance in bytes, for "did you mean".
std::size_t EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, or empty when none is within a third of its length (at least 2).
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace talon
