// SPDX-License-Identifier: Apache-2.0
#include "guard/call_syntax.h"

#include <algorithm>
#include <array>
#include <string>

#include "guard/fold.h"

namespace talon::guard {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kMaxWord = 40;    // bytes of a name, separators left out
constexpr std::size_t kMaxValue = 160;  // bytes of a "name" value looked over

// Names are written without separators: tool_call, tool-call, "tool call" and toolCall are one.
constexpr std::string_view kTagNames[] = {
    "toolcall",       "toolcalls",       "tooluse",          "tooluses",          "toolresult",
    "toolresults",    "tooloutput",      "tooloutputs",      "toolresponse",      "toolresponses",
    "toolcode",       "functioncall",    "functioncalls",    "functionresult",    "functionresults",
    "functionoutput", "functionoutputs", "functionresponse", "functionresponses", "plugincall",
    "plugincalls",    "usemcptool",      "usetool",          "executetool",       "calltool",
    "availabletools"};
constexpr std::string_view kEnvelopeNames[] = {"pluginoutput", "agentmessage"};
constexpr std::string_view kTurnTags[] = {"startofturn", "endofturn", "bos", "eos", "endoftext"};
constexpr std::string_view kOtherNames[] = {"invoke", "inst", "sys"};
constexpr std::string_view kRoleWords[] = {"system", "user", "assistant", "tool", "developer"};
constexpr std::string_view kCallKeys[] = {"toolcall", "toolcalls", "functioncall", "functioncalls",
                                          "tooluse"};
constexpr std::string_view kNameKeys[] = {"tool", "toolname", "recipientname", "actioninput"};
constexpr std::string_view kArgumentKeys[] = {"arguments", "parameters", "args", "input", "params"};
constexpr std::string_view kCallTypes[] = {"function",      "functioncall", "functioncalloutput",
                                           "tooluse",       "toolcall",     "toolresult",
                                           "servertooluse", "mcptooluse",   "mcpcall"};

template <std::size_t N>
bool In(const std::string_view (&names)[N], std::string_view word) {
  return std::any_of(std::begin(names), std::end(names), [word](std::string_view name) {
    return name.size() == word.size() && name[0] == word[0] && name == word;
  });
}

template <std::size_t N>
bool BeginsOne(const std::string_view (&names)[N], std::string_view word) {
  return std::any_of(std::begin(names), std::end(names), [word](std::string_view name) {
    return !word.empty() && name[0] == word[0] && name.starts_with(word);
  });
}

// "[/plugin_outputs" is near enough to an end to be taken for one.
bool IsEnvelope(std::string_view word) {
  return std::any_of(std::begin(kEnvelopeNames), std::end(kEnvelopeNames),
                     [word](std::string_view name) { return word.starts_with(name); });
}

bool IsLetter(char folded) {
  return folded >= 'a' && folded <= 'z';
}
bool IsWord(char folded) {
  return IsLetter(folded) || (folded >= '0' && folded <= '9');
}
bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool IsSeparator(char c) {
  return c == '_' || c == '-' || c == '.' || c == kSkip || IsSpace(c);
}

bool IsIdentifier(char c) {
  return IsWord(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

std::size_t SkipSpaces(std::string_view text, std::size_t at) {
  for (Folded next = FoldAt(text, at); IsSpace(next.c) || next.c == kSkip;
       next = FoldAt(text, at)) {
    at += next.size;
  }
  return at;
}

// A name built from words, read one separator at a time.
class NameReader {
 public:
  NameReader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  // Adds the next word. False when there is none or no name begins so.
  bool Next() {
    Folded next = FoldAt(text_, at_);
    while (IsSeparator(next.c)) {
      if (size_ > 0 && next.c != kSkip) separated_ = true;
      if (++skipped_ > 2 * kMaxWord) return false;
      at_ += next.size;
      next = FoldAt(text_, at_);
    }
    const std::size_t before = size_;
    while (IsWord(next.c) || next.c == kSkip) {
      if (next.c != kSkip && size_ < kMaxWord) word_[size_++] = next.c;
      at_ += next.size;
      next = FoldAt(text_, at_);
    }
    // An XML namespace is not part of the name.
    if (next.c == ':' && !namespace_ && size_ > 0 && !In(kTagNames, word()) &&
        !IsEnvelope(word()) && IsLetter(FoldAt(text_, at_ + next.size).c)) {
      at_ += next.size;
      size_ = 0;
      namespace_ = true;
      return Next();
    }
    return size_ > before &&
           (BeginsOne(kTagNames, word()) || BeginsOne(kEnvelopeNames, word()) ||
            BeginsOne(kTurnTags, word()) || BeginsOne(kOtherNames, word()) || IsEnvelope(word()));
  }

  std::string_view word() const { return {word_.data(), size_}; }
  std::size_t at() const { return at_; }         // just behind the last word
  bool separated() const { return separated_; }  // the name has a separator inside

 private:
  std::string_view text_;
  std::size_t at_;
  std::array<char, kMaxWord> word_{};
  std::size_t size_ = 0;
  std::size_t skipped_ = 0;
  bool separated_ = false;
  bool namespace_ = false;
};

// `word =` at `at`; `wanted` empty means any word.
bool IsAttribute(std::string_view text, std::size_t at, std::string_view wanted) {
  std::array<char, kMaxWord> word{};
  std::size_t size = 0;
  Folded next = FoldAt(text, at);
  while ((IsWord(next.c) || next.c == '_' || next.c == '-') && size < kMaxWord) {
    word[size++] = next.c;
    at += next.size;
    next = FoldAt(text, at);
  }
  if (size == 0 || (!wanted.empty() && std::string_view(word.data(), size) != wanted)) return false;
  return FoldAt(text, SkipSpaces(text, at)).c == '=';
}

// Whether a name can begin at `at`, a letter: tells most brackets of markup and code apart at once.
bool MayBeName(std::string_view text, std::size_t at) {
  const Folded first = FoldAt(text, at);
  const Folded second = FoldAt(text, at + first.size);
  if (!IsLetter(second.c)) return true;
  constexpr std::string_view kPairs = "to fu pl us ex ca av ag st en bo eo in sy";
  for (std::size_t i = 0; i < kPairs.size(); i += 3) {
    if (kPairs[i] == first.c && kPairs[i + 1] == second.c) return true;
  }
  Folded next = second;
  for (at += first.size; IsWord(next.c) || next.c == kSkip; next = FoldAt(text, at)) {
    at += next.size;
  }
  return next.c == ':';
}

// <|im_start|> and its kind. `at` is behind "<|".
bool IsSpecialToken(std::string_view text, std::size_t at) {
  std::string word;
  Folded next = FoldAt(text, at);
  const bool spaced = next.c == ' ';
  while (IsWord(next.c) || IsSeparator(next.c) || next.c == '/' || next.c == ':') {
    if (next.c == '\n' || next.c == '\r' || word.size() == kMaxWord) return false;
    if (next.c != kSkip && next.c != ' ') word += next.c;
    if (next.c == ' ' && !word.empty() && FoldAt(text, at + next.size).c != '|' &&
        word.find('_') == std::string::npos) {
      return false;
    }
    at += next.size;
    next = FoldAt(text, at);
  }
  if (word.empty() || next.c != '|') return false;
  if (spaced && word.find('_') == std::string::npos && !In(kRoleWords, word)) return false;
  const char after = FoldAt(text, at + next.size).c;
  return after == '>' || IsLetter(after);
}

// <<SYS>>. `at` is behind the first "<".
bool IsSystemTag(std::string_view text, std::size_t at) {
  at = SkipSpaces(text, at + 1);
  if (FoldAt(text, at).c == '/') at = SkipSpaces(text, at + 1);
  NameReader name(text, at);
  if (!name.Next() || name.word() != "sys") return false;
  at = SkipSpaces(text, name.at());
  const Folded first = FoldAt(text, at);
  return first.c == '>' && FoldAt(text, at + first.size).c == '>';
}

struct Opening {
  std::size_t inside;  // first byte behind the opener
  bool spaced;         // blanks before the name
  bool closing;        // a '/' before the name
  bool glued;          // the opener follows an identifier, as in a template or an index
};

bool EndsAngleTag(std::string_view text, const NameReader& name, const Opening& open) {
  const std::size_t at = SkipSpaces(text, name.at());
  const char c = FoldAt(text, at).c;
  if (c == '>' || open.closing) return true;
  if (open.spaced) return false;  // `i < tool_calls / 2`
  if (c == '\0' || c == '|' || c == '=' || c == '{' || c == '"' || c == ':') return true;
  if (c == '/') return FoldAt(text, at + 1).c == '>';
  return at > name.at() && IsAttribute(text, at, "");
}

bool IsAngleForm(std::string_view text, const Opening& open, std::size_t at) {
  NameReader name(text, at);
  while (name.Next()) {
    const std::string_view word = name.word();
    if (IsEnvelope(word)) return true;
    if (In(kTagNames, word) && (name.separated() || open.closing || !open.glued) &&
        EndsAngleTag(text, name, open)) {
      return true;
    }
    const std::size_t after = SkipSpaces(text, name.at());
    const char c = FoldAt(text, after).c;
    if (In(kTurnTags, word) && c == '>' && !open.glued) return true;
    if (word == "invoke" && ((c == '>' && !open.glued) || IsAttribute(text, after, "name"))) {
      return true;
    }
    if ((word == "function" || word == "tool") &&
        ((c == '=' && !open.spaced) || IsAttribute(text, after, "name"))) {
      return true;
    }
  }
  return false;
}

bool EndsSquareTag(std::string_view text, const NameReader& name, const Opening& open) {
  const std::size_t at = SkipSpaces(text, name.at());
  const char c = FoldAt(text, at).c;
  if (open.closing || c == '\0') return true;
  if (text.substr(name.at(), at - name.at()).find('\n') != kNone) return true;
  constexpr std::string_view kEnds = "]:={/|>(";
  return kEnds.find(c) != kNone || IsAttribute(text, at, "");
}

bool IsSquareForm(std::string_view text, const Opening& open, std::size_t at) {
  NameReader name(text, at);
  while (name.Next()) {
    const std::string_view word = name.word();
    if (IsEnvelope(word)) return true;
    if (In(kTagNames, word) && EndsSquareTag(text, name, open)) return true;
    if (word == "inst" && FoldAt(text, SkipSpaces(text, name.at())).c == ']' &&
        (!open.glued || text[at] == 'I')) {
      return true;
    }
  }
  return false;
}

std::size_t FindBracketForm(std::string_view text, std::size_t at, const Folded& opener) {
  Opening open{at + opener.size, false, false, at > 0 && IsIdentifier(text[at - 1])};
  std::size_t inside = open.inside;
  Folded next = FoldAt(text, inside);
  // The usual case first: a bracket of code or data.
  constexpr std::string_view kStarts = "abcdefghijklmnopqrstuvwxyz /\\|<\t\n\r\1";
  if (kStarts.find(next.c) == kNone) return kNone;
  if (opener.c == '<' && next.c == '<') return IsSystemTag(text, inside) ? open.inside : kNone;
  for (std::size_t steps = 0; steps < kMaxWord; ++steps) {
    if (next.c == '|' && opener.c == '<' && IsSpecialToken(text, inside + next.size)) {
      return open.inside;
    }
    if (next.c == '/' || next.c == '\\') {
      open.closing = true;
    } else if (IsSpace(next.c)) {
      open.spaced = true;
    } else if (next.c != kSkip && next.c != '|') {
      break;
    }
    inside += next.size;
    next = FoldAt(text, inside);
  }
  if (!IsLetter(next.c) || !MayBeName(text, inside)) return kNone;
  const bool found =
      opener.c == '<' ? IsAngleForm(text, open, inside) : IsSquareForm(text, open, inside);
  return found ? open.inside : kNone;
}

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

char CharAt(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
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
    if (In(kTagNames, name.word())) return end;
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
