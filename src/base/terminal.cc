// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace talon {
namespace {

// U+0080 to U+009F, as the two bytes of their UTF-8.
bool IsC1(std::string_view text) {
  return text.size() >= 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
}

// Marks, embeddings, overrides and isolates of the bidirectional algorithm: they can make a text
// read as another one. The value at the start of `text`, or 0.
unsigned BidiControl(std::string_view text) {
  if (text.starts_with("\xd8\x9c")) return 0x061c;
  if (text.size() < 3 || text[0] != '\xe2') return 0;
  const unsigned value = 0x2000u | (static_cast<unsigned char>(text[1]) & 0x3fu) << 6 |
                         (static_cast<unsigned char>(text[2]) & 0x3fu);
  const bool control = value == 0x200e || value == 0x200f || (value >= 0x202a && value <= 0x202e) ||
                       (value >= 0x2066 && value <= 0x2069);
  return control ? value : 0;
}

void AppendValid(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (IsC1(rest)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
    } else if (const unsigned control = BidiControl(rest); control != 0) {
      out += fmt::format("\\u{:04x}", control);
      i += control < 0x800 ? 1 : 2;
    } else {
      out.push_back(text[i]);
    }
  }
}

}  // namespace

std::string ForTerminal(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t valid = std::min(FindInvalidUtf8(text), text.size());
    AppendValid(out, text.substr(0, valid));
    if (valid == text.size()) break;
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[valid]));
    text.remove_prefix(valid + 1);
  }
  return out;
}

}  // namespace talon
