// SPDX-License-Identifier: Apache-2.0
// Characters that must not come in from outside: bytes that are no UTF-8 (one U+FFFD a run),
// control characters and terminal sequences, invisible format characters (zero width, bidi, tags,
// variation selectors outside emoji and scripts that join). Line separators of every kind become
// '\n'; an overstrike ("N\bN") becomes its last character. Idempotent. Pure function, any thread.
#pragma once

#include <string>
#include <string_view>

namespace talon::guard {

// The cleaned text: `text` itself when nothing was to be done, else a view of `*storage`.
std::string_view CleanText(std::string_view text, std::string* storage);

}  // namespace talon::guard
