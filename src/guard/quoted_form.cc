// SPDX-License-Identifier: Apache-2.0
#include "guard/quoted_form.h"

#include <array>

#include "guard/form_text.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxValue = 160;  // bytes of a "name" value looked over
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

// What an ASCII character of a quoted word counts as: its lower case, kSkip for a separator, '\0'
// for what is in no word.
constexpr std::array<char, 128> kWordCharacters = [] {
  std::array<char, 128> table{};
  for (char c = 'a'; c <= 'z'; ++c) {
    table[static_cast<std::size_t>(c)] = table[static_cast<std::size_t>(c - 'a' + 'A')] = c;
  }
  for (char c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = c;
  table['/'] = '/';
  table['_'] = table['-'] = kSkip;
  return table;
}();

Quoted ReadQuoted(std::string_view text, std::size_t at, char quote) {
  Quoted quoted;
  for (std::size_t steps = 0; at < text.size() && steps < 8 * kMaxWord; ++steps) {
    char c = text[at];
    std::size_t size = 1;
    if (static_cast<unsigned char>(c) >= 0x80) {
      const Folded wide = FoldWideAt(text, at);
      c = wide.c;
      size = wide.size;
    }
    at += size;
    if (c == quote) {
      quoted.end = at;
      break;
    }
    if (c == '\\') {
      c = HexEscape(text, at);
      if (c == '\0') continue;
      at += 5;
    }
    if (c == '_' || c == '-' || c == kSkip) continue;
    c = kWordCharacters[static_cast<std::size_t>(c)];
    if (c == '\0' || quoted.size == kMaxWord) break;
    quoted.word[quoted.size++] = c;
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

constexpr std::string_view kCallKeys[] = {
    "toolcall",    "toolcalls",    "tooluse",      "toolcallid",    "tooluseid",       "toolresult",
    "toolresults", "toolresponse", "functioncall", "functioncalls", "functionresponse"};
constexpr std::string_view kRoles[] = {"system",   "assistant", "tool",
                                       "function", "developer", "model"};

enum class Key { kOther, kCall, kName, kArguments, kNamed, kType, kMethod, kRole };

Key KeyOf(std::string_view word) {
  switch (word.empty() ? '\0' : word[0]) {
    case 't':
      if (word == "type") return Key::kType;
      if (word == "tool" || word == "toolname") return Key::kName;
      return In(kCallKeys, word) ? Key::kCall : Key::kOther;
    case 'f':
      return In(kCallKeys, word) ? Key::kCall : Key::kOther;
    case 'a':
      if (word == "arguments") return Key::kArguments;
      return word == "actioninput" ? Key::kName : Key::kOther;
    case 'r':
      if (word == "role") return Key::kRole;
      return word == "recipientname" ? Key::kName : Key::kOther;
    case 'n':
      return word == "name" ? Key::kNamed : Key::kOther;
    case 'm':
      return word == "method" ? Key::kMethod : Key::kOther;
    default:
      return Key::kOther;
  }
}

// Whether a key can begin at `at`: told by its first two letters, for most quotes.
bool MayBeKey(std::string_view text, std::size_t at) {
  const Folded first = FoldAt(text, at);
  const char second = FoldAt(text, at + first.size).c;
  switch (first.c) {
    case 't':
      return second == 'o' || second == 'y' || !IsLetter(second);
    case 'f':
      return second == 'u' || !IsLetter(second);
    case 'a':
      return second == 'c' || second == 'r' || !IsLetter(second);
    case 'n':
      return second == 'a' || !IsLetter(second);
    case 'm':
      return second == 'e' || !IsLetter(second);
    case 'r':
      return second == 'e' || second == 'o' || !IsLetter(second);
    case '_':
    case '\\':
      return true;
    default:
      return false;
  }
}

// Whether the string at `at` makes a call or a role of its key.
bool IsCallValue(std::string_view text, std::size_t at, Key key) {
  const char quote = CharAt(text, at);
  if (!IsQuote(quote)) return false;
  const Quoted value = ReadQuoted(text, at + 1, quote);
  if (value.end == kNone) return false;
  if (key == Key::kType) return In(kCallTypes, value.text());
  return key == Key::kRole ? In(kRoles, value.text()) : value.text() == "tools/call";
}

}  // namespace

std::size_t FindQuotedForm(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (!MayBeKey(text, at + 1)) return kNone;
  const Quoted key = ReadQuoted(text, at + 1, quote);
  if (key.end == kNone) return kNone;
  std::size_t value = SkipBlanks(text, key.end);
  if (CharAt(text, value) != ':') return kNone;
  value = SkipBlanks(text, value + 1);
  const char v = CharAt(text, value);
  const char before = SignificantBefore(text, at);
  const bool member = before == '{' || before == ',' || before == '\0';
  switch (KeyOf(key.text())) {
    case Key::kOther:
      return kNone;
    case Key::kCall:  // but not `case "tool_call": {` of a program
      return member || v == '[' || !IsIdentifier(before) ? at + 1 : kNone;
    case Key::kName:
      return member && IsQuote(v) ? at + 1 : kNone;
    case Key::kArguments:
      return member && IsArgumentsValue(text, value) ? at + 1 : kNone;
    case Key::kNamed:
      return IsQuote(v) && IsNamedCall(text, value) ? at + 1 : kNone;
    default:
      return IsCallValue(text, value, KeyOf(key.text())) ? value + 1 : kNone;
  }
}

}  // namespace talon::guard
