// SPDX-License-Identifier: Apache-2.0
#include "guard/call_syntax.h"

#include "guard/bracket_form.h"
#include "guard/form_text.h"
#include "guard/name_reader.h"
#include "guard/quoted_form.h"

namespace talon::guard {
namespace {

// Whether the wide character at `at` is a bracket that looks like '[' or '<' (guard/fold.cc): told
// by its bytes, since most wide characters that begin so are none.
bool IsWideBracket(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return false;
  const auto byte = [text, at](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  switch (byte(0) << 16 | byte(1) << 8 | byte(2)) {
    case 0xE280B9:  // U+2039
    case 0xE28185:  // U+2045
    case 0xE28CA9:  // U+2329
    case 0xE29DAC:  // U+276C
    case 0xE29DAE:  // U+276E
    case 0xE29FA6:  // U+27E6
    case 0xE29FA8:  // U+27E8
    case 0xE38088:  // U+3008
    case 0xE38090:  // U+3010
    case 0xE38094:  // U+3014
    case 0xEFB8B9:  // U+FE39
    case 0xEFB8BB:  // U+FE3B
    case 0xEFB8BF:  // U+FE3F
    case 0xEFB987:  // U+FE47
    case 0xEFB99D:  // U+FE5D
    case 0xEFB9A4:  // U+FE64
    case 0xEFBC9C:  // U+FF1C
    case 0xEFBCBB:  // U+FF3B
      return true;
    default:
      return false;
  }
}

constexpr std::string_view kMarkers[] = {"human", "assistant", "action input"};
constexpr std::string_view kHeadings[] = {"instruction", "response", "human",
                                          "assistant",   "system",   "user"};

std::size_t SkipIndent(std::string_view text, std::size_t at) {
  while (CharAt(text, at) == ' ' || CharAt(text, at) == '\t') ++at;
  return at;
}

// Whether one of these words stands at `at`, followed by a ':'.
template <std::size_t N>
bool OpensLine(std::string_view text, std::size_t at, const std::string_view (&words)[N]) {
  for (const std::string_view word : words) {
    std::size_t end = at;
    std::size_t same = 0;
    while (same < word.size()) {
      const Folded next = FoldAt(text, end);
      if (next.c != word[same]) break;
      end += next.size;
      ++same;
    }
    if (same == word.size() && FoldAt(text, SkipIndent(text, end)).c == ':') return true;
  }
  return false;
}

// ```tool_code
std::size_t FindFencedForm(std::string_view text, std::size_t at) {
  if (at > 0 && text[at - 1] == '`') return kNone;  // the run is read from its start
  std::size_t end = at;
  while (CharAt(text, end) == '`') ++end;
  if (end - at < 3) return kNone;
  NameReader name(text, end);
  while (name.Next()) {
    if (IsCallName(name.word())) return end;
    if (CharAt(text, name.at()) == '\n') break;
  }
  return kNone;
}

}  // namespace

std::size_t FindLineForm(std::string_view text, std::size_t at) {
  at = SkipIndent(text, at);
  const char first = CharAt(text, at);
  if (first == '#') {  // ### Instruction:
    const std::size_t end = std::min(text.find_first_not_of('#', at), text.size());
    return end - at >= 3 && OpensLine(text, SkipIndent(text, end), kHeadings) ? at : kNone;
  }
  return (first == 'H' || first == 'A') && OpensLine(text, at, kMarkers) ? at : kNone;
}

std::size_t FindForm(std::string_view text, std::size_t at) {
  switch (text[at]) {
    case '"':
    case '\'':
      return FindQuotedForm(text, at);
    case '`':
      return FindFencedForm(text, at);
    case '\n':
    case '\r':
      return FindLineForm(text, at + 1);
    default:
      break;
  }
  if (static_cast<unsigned char>(text[at]) >= 0x80 && !IsWideBracket(text, at)) return kNone;
  const Folded opener = FoldAt(text, at);
  if (opener.c != '[' && opener.c != '<') return kNone;
  return FindBracketForm(text, at, opener);
}

}  // namespace talon::guard
