// SPDX-License-Identifier: Apache-2.0
// What a text says to those who decode it: the forms the firewall reads. Pure functions, any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace talon::guard {

// NFKC, lower case, without invisible and control characters; blanks folded to one, lines kept.
// `text` must be valid UTF-8.
std::string NormalText(std::string_view text);

// Letters that only look Latin as Latin ones. Of a normal text.
std::string LatinText(std::string_view text);

// With HTML's character references read, and with %XX read up to three times over.
std::string HtmlDecoded(std::string_view text);
std::string UrlDecoded(std::string_view text);

// What every run of base64 of 20 characters and more stands for, where that is text.
std::vector<std::string> Base64Texts(std::string_view text);

// What tag characters (U+E0000 and following), which nobody sees, spell.
std::string TagText(std::string_view text);

}  // namespace talon::guard
