// SPDX-License-Identifier: Apache-2.0
// Text that goes to a model: UTF-8 and lengths. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace talon::sdk {

// Offset of the first byte that is not part of valid UTF-8, or npos.
std::size_t FindInvalidUtf8(std::string_view text);

// Invalid sequences become U+FFFD; valid text is returned unchanged.
std::string RepairUtf8(std::string text);

// The longest prefix of at most `max_bytes` that does not split a character.
std::string_view TruncateUtf8(std::string_view text, std::size_t max_bytes);

// True for data that is no text: a NUL byte within the first 8 KB.
bool LooksBinary(std::string_view data);

// "812 bytes", "3.4 KB", "1.0 MB": for messages.
std::string HumanSize(unsigned long long bytes);

}  // namespace talon::sdk
