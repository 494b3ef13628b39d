// SPDX-License-Identifier: Apache-2.0
#include "guard/call_syntax.h"

#include "guard/bracket_form.h"
#include "guard/form_text.h"
#include "guard/name_reader.h"
#include "guard/quoted_form.h"

namespace talon::guard {
namespace {

// By the second byte, before the character is looked up: most text beyond ASCII ends here.
bool MayBeBracket(std::string_view text, std::size_t at) {
  const auto second = static_cast<unsigned char>(CharAt(text, at + 1));
  switch (static_cast<unsigned char>(text[at])) {
    case 0xE2:
      return second == 0x80 || second == 0x81 || second == 0x8C || second == 0x9D || second == 0x9F;
    case 0xE3:
      return second == 0x80;
    case 0xEF:
      return second == 0xB9 || second == 0xBC;
    default:
      return true;
  }
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
  while (CharAt(text, at) == ' ' || CharAt(text, at) == '\t') ++at;
  const char first = CharAt(text, at);
  if (first != 'H' && first != 'A') return kNone;
  for (const std::string_view marker : {"human", "assistant", "action input"}) {
    std::size_t end = at;
    for (const char c : marker) {
      if (FoldAt(text, end).c != c) break;
      ++end;
    }
    if (end - at != marker.size()) continue;
    while (CharAt(text, end) == ' ' || CharAt(text, end) == '\t') ++end;
    if (FoldAt(text, end).c == ':') return at;
  }
  return kNone;
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
  if (!MayBeBracket(text, at)) return kNone;
  const Folded opener = FoldAt(text, at);
  if (opener.c != '[' && opener.c != '<') return kNone;
  return FindBracketForm(text, at, opener);
}

}  // namespace talon::guard
