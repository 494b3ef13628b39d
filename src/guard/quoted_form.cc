// SPDX-License-Identifier: Apache-2.0
#include "guard/quoted_form.h"

#include <array>

#include "guard/form_text.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxValue = 160;  // bytes of a "name" value looked over
constexpr std::string_view kCallKeys[] = {"toolcall", "toolcalls", "functioncall", "functioncalls",
                                          "tooluse"};
constexpr std::string_view kNameKeys[] = {"tool", "toolname", "recipientname", "actioninput"};
constexpr std::string_view kArgumentKeys[] = {"arguments", "parameters", "args", "input", "params"};
constexpr std::string_view kCallTypes[] = {"function",      "functioncall", "functioncalloutput",
                                           "tooluse",       "toolcall",     "toolresult",
                                           "servertooluse", "mcptooluse",   "mcpcall"};

// A quoted JSON word: its letters and where its quote closes. Escapes are read, separators left
// out.
struct Quoted {
  std::array<char, kMaxWord> word{};
  std::size_t size = 0;
  std::size_t end = kNone;  // behind the closing quote
  std::string_view text() const { return {word.data(), size}; }
};

char HexEscape(std::string_view text, std::size_t at) {  // at "uXXXX"
  unsigned value = 0;
  if (at + 5 > text.size() || text[at] != 'u') return '\0';
  for (std::size_t i = at + 1; i < at + 5; ++i) {
    const char c = FoldAt(text, i).c;
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return '\0';
    value = value * 16 + static_cast<unsigned>(digit ? c - '0' : c - 'a' + 10);
  }
  if (value >= 0x80) return kOther;
  const char c = static_cast<char>(value);
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

Quoted ReadQuoted(std::string_view text, std::size_t at, char quote) {
  Quoted quoted;
  for (std::size_t steps = 0; steps < 8 * kMaxWord; ++steps) {
    Folded next = FoldAt(text, at);
    if (next.c == '\0' || next.c == '\n') break;
    if (next.c == quote) {
      quoted.end = at + next.size;
      break;
    }
    at += next.size;
    if (next.c == '\\') {
      const char escaped = HexEscape(text, at);
      if (escaped == '\0') continue;
      next.c = escaped;
      at += 5;
    }
    if (next.c == '_' || next.c == '-' || next.c == kSkip) continue;
    if (quoted.size == kMaxWord || !(IsWord(next.c) || next.c == '/')) break;
    quoted.word[quoted.size++] = next.c;
  }
  return quoted;
}

std::size_t SkipBlanks(std::string_view text, std::size_t at) {  // and the backslashes of nesting
  while (at < text.size()) {
    if (text[at] == '\\' && at + 1 < text.size() &&
        (text[at + 1] == 'n' || text[at + 1] == 'r' || text[at + 1] == 't')) {
      at += 2;
    } else if (IsSpace(text[at]) || text[at] == '\\') {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

bool IsQuote(char c) {
  return c == '"' || c == '\'';
}

// The last character before `at` that is neither blank nor nesting.
char SignificantBefore(std::string_view text, std::size_t at) {
  for (std::size_t steps = 0; at > 0 && steps < kMaxValue; ++steps) {
    const char c = text[at - 1];
    const bool escape = at >= 2 && text[at - 2] == '\\' && (c == 'n' || c == 'r' || c == 't');
    if (!escape && !IsSpace(c) && c != '\\') return c;
    at -= escape ? 2 : 1;
  }
  return '\0';
}

// "name": "x", "parameters": {   with `at` at the value's opening quote.
bool IsNamedCall(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::size_t limit = std::min(text.size(), at + kMaxValue);
  for (++at; at < limit && text[at] != quote && text[at] != '\n';) ++at;
  if (at >= limit || text[at] != quote) return false;
  at = SkipBlanks(text, at + 1);
  if (CharAt(text, at) != ',') return false;
  at = SkipBlanks(text, at + 1);
  if (!IsQuote(CharAt(text, at))) return false;
  const Quoted key = ReadQuoted(text, at + 1, text[at]);
  if (key.end == kNone || !In(kArgumentKeys, key.text())) return false;
  at = SkipBlanks(text, key.end);
  return CharAt(text, at) == ':' && CharAt(text, SkipBlanks(text, at + 1)) == '{';
}

bool IsArgumentsValue(std::string_view text, std::size_t at) {
  if (CharAt(text, at) == '{') return true;
  return IsQuote(CharAt(text, at)) && CharAt(text, SkipBlanks(text, at + 1)) == '{';
}

}  // namespace

std::size_t FindQuotedForm(std::string_view text, std::size_t at) {
  const char quote = text[at];
  constexpr std::string_view kStarts = "tfanmr_\\";
  if (kStarts.find(FoldAt(text, at + 1).c) == kNone) return kNone;
  const Quoted key = ReadQuoted(text, at + 1, quote);
  if (key.end == kNone) return kNone;
  std::size_t value = SkipBlanks(text, key.end);
  if (CharAt(text, value) != ':') return kNone;
  value = SkipBlanks(text, value + 1);
  const char v = CharAt(text, value);
  const char before = SignificantBefore(text, at);
  const bool member = before == '{' || before == ',' || before == '\0';
  const std::string_view word = key.text();
  if (In(kCallKeys, word)) {  // but not `case "tool_call": {` of a program
    return member || v == '[' || !IsIdentifier(before) ? at + 1 : kNone;
  }
  if (In(kNameKeys, word)) return member && IsQuote(v) ? at + 1 : kNone;
  if (word == "arguments") return member && IsArgumentsValue(text, value) ? at + 1 : kNone;
  if (!IsQuote(v)) return kNone;
  if (word == "name") return IsNamedCall(text, value) ? at + 1 : kNone;
  if (word != "type" && word != "method") return kNone;
  const Quoted called = ReadQuoted(text, value + 1, v);
  if (called.end == kNone) return kNone;
  const bool found = word == "type" ? In(kCallTypes, called.text()) : called.text() == "tools/call";
  return found ? value + 1 : kNone;
}

}  // namespace talon::guard
