// SPDX-License-Identifier: Apache-2.0
#include "guard/hidden_form.h"

#include <algorithm>
#include <array>

#include "guard/form_text.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxTag = 512;    // bytes of a tag looked over, either way
constexpr std::size_t kMaxStyle = 256;  // bytes of a style read, blanks left out
constexpr std::size_t kMaxAlt = 512;    // bytes of an image's description

bool StartsWord(std::string_view text, std::size_t at, std::string_view word) {
  if (text.size() - at < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if ((text[at + i] | 0x20) != word[i]) return false;
  }
  return true;
}

bool IsInsideTag(std::string_view text, std::size_t at) {
  const std::size_t least = at > kMaxTag ? at - kMaxTag : 0;
  for (std::size_t i = at; i-- > least;) {
    if (text[i] == '>') return false;
    if (text[i] == '<') return IsIdentifier(text[i + 1]);
  }
  return false;
}

// A style as its letters say it: lower case, without blanks and comments.
class Style {
 public:
  Style(std::string_view text, std::size_t at) {
    at = SkipNesting(text, at);
    const char quote = CharAt(text, at);
    const bool quoted = quote == '"' || quote == '\'';
    const std::size_t end = std::min(text.size(), at + kMaxTag);
    for (std::size_t i = quoted ? at + 1 : at; i < end && size_ < css_.size(); ++i) {
      const char c = text[i];
      if (quoted ? c == quote : c == '>') break;
      if (text.substr(i, 2) == "/*") {
        i = std::min(text.find("*/", i + 2), end) + 1;
      } else if (!IsSpace(c) && c != '\\') {
        css_[size_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
      }
    }
  }

  bool Hides() const {
    const std::string_view css(css_.data(), size_);
    constexpr std::string_view kAlways[] = {"display:none",
                                            "visibility:hidden",
                                            "visibility:collapse",
                                            "color:transparent",
                                            "text-indent:-",
                                            "left:-9",
                                            "top:-9",
                                            "clip:rect(0",
                                            "clip-path:inset(50",
                                            "clip-path:inset(1",
                                            "max-height:0",
                                            "transform:scale(0)"};
    for (const std::string_view sign : kAlways) {
      if (css.find(sign) != kNone) return true;
    }
    for (const std::string_view name : {"opacity:0", "font-size:0", "font-size:.0"}) {
      const std::size_t found = css.find(name);
      if (found == kNone) continue;
      const std::string_view rest = css.substr(found + name.size());
      const std::size_t digit = rest.find_first_not_of(".0");
      if (digit == kNone || rest[digit] < '1' || rest[digit] > '9') return true;
    }
    return false;
  }

 private:
  static std::size_t SkipNesting(std::string_view text, std::size_t at) {
    while (IsSpace(CharAt(text, at)) || CharAt(text, at) == '\\') ++at;
    return at;
  }

  std::array<char, kMaxStyle> css_{};
  std::size_t size_ = 0;
};

bool IsHidingAttribute(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  const char before = text[at - 1];
  if (!IsSpace(before) && before != '"' && before != '\'' && before != '/') return false;
  if (StartsWord(text, at, "hidden")) {
    const char after = CharAt(text, at + 6);
    if (!IsSpace(after) && after != '>' && after != '=' && after != '/') return false;
    return IsInsideTag(text, at);
  }
  if (!StartsWord(text, at, "style")) return false;
  const std::size_t equals = SkipSpaces(text, at + 5);
  if (CharAt(text, equals) != '=' || !Style(text, equals + 1).Hides()) return false;
  return IsInsideTag(text, at);
}

bool IsRemote(std::string_view text, std::size_t at) {
  while (IsSpace(CharAt(text, at)) || CharAt(text, at) == '<' || CharAt(text, at) == '\\') ++at;
  return text.substr(at, 2) == "//" || StartsWord(text, at, "http") || StartsWord(text, at, "ftp:");
}

// ![…](https://…), ![…][reference], ![reference]. `at` is behind the "![".
bool IsMarkdownImage(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at, kMaxAlt);
  bool blank = false;
  for (std::size_t i = 0; i < rest.size() && rest[i] != '\n'; ++i) {
    if (rest[i] == ' ') blank = true;
    if (rest[i] != ']') continue;
    const char after = CharAt(text, at + i + 1);
    if (after == '(') return IsRemote(text, at + i + 2);
    if (after == '[') return true;
    if (!blank && i > 0) return true;
  }
  return false;
}

// <img src=…>. `at` is behind the "<".
bool IsHtmlImage(std::string_view text, std::size_t at) {
  if (!StartsWord(text, at, "img") ||
      !(IsSpace(CharAt(text, at + 3)) || CharAt(text, at + 3) == '/')) {
    return false;
  }
  const std::string_view tag = text.substr(at, kMaxTag);
  return tag.substr(0, tag.find('>')).find("//") != kNone;
}

}  // namespace

std::size_t FindHiddenForm(std::string_view text, std::size_t at) {
  switch (text[at]) {
    case '!':
      return CharAt(text, at + 1) == '[' && IsMarkdownImage(text, at + 2) ? at + 1 : kNone;
    case '<':
      return text.substr(at + 1, 3) == "!--" || IsHtmlImage(text, at + 1) ? at + 1 : kNone;
    default:
      return IsHidingAttribute(text, at) ? at : kNone;
  }
}

}  // namespace talon::guard
