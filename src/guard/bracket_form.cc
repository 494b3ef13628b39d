// SPDX-License-Identifier: Apache-2.0
#include "guard/bracket_form.h"

#include <array>
#include <string>

#include "guard/form_text.h"
#include "guard/name_reader.h"

namespace talon::guard {
namespace {

constexpr std::string_view kRoleWords[] = {"system", "user", "assistant", "tool", "developer"};

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

constexpr std::string_view kPairs = "to fu pl us ex ca av ag as st en bo eo in sy th";

constexpr std::array<std::array<bool, 26>, 26> kBegins = [] {
  std::array<std::array<bool, 26>, 26> table{};
  for (std::size_t i = 0; i < kPairs.size(); i += 3) {
    table[static_cast<std::size_t>(kPairs[i] - 'a')]
         [static_cast<std::size_t>(kPairs[i + 1] - 'a')] = true;
  }
  return table;
}();

// Whether a name can begin at `at`, a letter: tells most brackets of markup and code apart at once.
// By its first two letters, or by a ':' behind its first words, of which the last is a namespace.
bool MayBeName(std::string_view text, std::size_t at) {
  const Folded first = FoldAt(text, at);
  std::size_t next = at + first.size;
  while (IsSeparator(CharAt(text, next)) && next - at < 2 * kMaxWord) ++next;
  const Folded second = FoldAt(text, next);
  if (second.c == kSkip || second.c == kOther) return true;
  if (IsLetter(second.c) &&
      kBegins[static_cast<std::size_t>(first.c - 'a')][static_cast<std::size_t>(second.c - 'a')]) {
    return true;
  }
  // Plain words are passed over byte by byte; what is not plain is read with care.
  const bool words = next > at + first.size;
  std::size_t end = at;
  while (end < text.size() && end - at < 4 * kMaxWord &&
         (IsIdentifier(text[end]) || (words && IsSeparator(text[end])))) {
    ++end;
  }
  const Folded after = FoldAt(text, end);
  return after.c == ':' || after.c == kSkip ||
         static_cast<unsigned char>(CharAt(text, end)) >= 0x80;
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
    if (IsEnvelopeName(word)) return true;
    if (IsCallName(word) && (name.separated() || open.closing || !open.glued) &&
        EndsAngleTag(text, name, open)) {
      return true;
    }
    const std::size_t after = SkipSpaces(text, name.at());
    const char c = FoldAt(text, after).c;
    if (IsTurnName(word) && c == '>' && (!open.glued || open.closing)) return true;
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
    if (IsEnvelopeName(word)) return true;
    if (IsCallName(word) && EndsSquareTag(text, name, open)) return true;
    if ((word == "inst" || word == "systemprompt") &&
        FoldAt(text, SkipSpaces(text, name.at())).c == ']' &&
        (!open.glued || open.closing || text[at] == 'I')) {
      return true;
    }
  }
  return false;
}

}  // namespace

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

}  // namespace talon::guard
