// SPDX-License-Identifier: Apache-2.0
#include "http/html_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "http/ascii.h"

namespace talon::plugins {
namespace {

using std::string_view;

constexpr std::size_t kMaxTagBytes = 64u << 10;  // a '<' whose '>' is farther is text
constexpr std::size_t kMaxHrefBytes = 500;

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

template <std::size_t N>
bool OneOf(string_view name, const std::array<string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<string_view, 8> kHidden = {"script", "style",  "noscript", "template",
                                                "svg",    "iframe", "select",   "object"};
constexpr std::array<string_view, 12> kVoid = {"area",  "base", "br",   "col",    "hr",    "img",
                                               "input", "link", "meta", "source", "track", "wbr"};
constexpr std::array<string_view, 24> kBlocks = {
    "p",       "div", "section", "article", "header", "footer",     "main",  "nav",
    "aside",   "ul",  "ol",      "table",   "form",   "blockquote", "pre",   "figure",
    "details", "dl",  "hr",      "address", "title",  "fieldset",   "tbody", "summary"};
constexpr std::array<string_view, 5> kLines = {"br", "tr", "dt", "dd", "option"};

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

constexpr std::pair<string_view, string_view> kEntities[] = {
    {"amp", "&"},    {"lt", "<"},     {"gt", ">"},     {"quot", "\""},  {"apos", "'"},
    {"nbsp", " "},   {"mdash", "—"},  {"ndash", "–"},  {"hellip", "…"}, {"copy", "©"},
    {"reg", "®"},    {"trade", "™"},  {"laquo", "«"},  {"raquo", "»"},  {"ldquo", "“"},
    {"rdquo", "”"},  {"lsquo", "‘"},  {"rsquo", "’"},  {"bull", "•"},   {"middot", "·"},
    {"euro", "€"},   {"pound", "£"},  {"times", "×"},  {"deg", "°"},    {"shy", ""},
    {"rarr", "→"},   {"larr", "←"},   {"auml", "ä"},   {"ouml", "ö"},   {"uuml", "ü"},
    {"Auml", "Ä"},   {"Ouml", "Ö"},   {"Uuml", "Ü"},   {"szlig", "ß"},  {"eacute", "é"},
    {"egrave", "è"}, {"agrave", "à"}, {"ccedil", "ç"}, {"zwnj", ""},    {"thinsp", " "},
};

// Appends the entity at the start of `text` (which begins with '&'); returns its length, 0 for
// none.
std::size_t AppendEntity(std::string& out, string_view text) {
  const std::size_t end = text.substr(0, 12).find(';');
  if (end == string_view::npos || end < 2) return 0;
  const string_view name = text.substr(1, end - 1);
  if (name[0] == '#') {
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    std::uint32_t code = 0;
    const string_view digits = name.substr(hex ? 2 : 1);
    if (digits.empty()) return 0;
    for (const char c : digits) {
      const char l = LowerChar(c);
      const bool letter = hex && l >= 'a' && l <= 'f';
      if (!letter && (l < '0' || l > '9')) return 0;
      code = code * (hex ? 16 : 10) + static_cast<std::uint32_t>(letter ? l - 'a' + 10 : l - '0');
      code = std::min<std::uint32_t>(code, 0x110000);
    }
    AppendUtf8(out, code == 160 ? ' ' : code);
    return end + 1;
  }
  for (const auto& [known, value] : kEntities) {
    if (known != name) continue;
    out += value;
    return end + 1;
  }
  return 0;
}

std::string Decode(string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t used = text[i] == '&' ? AppendEntity(out, text.substr(i)) : 0;
    if (used == 0) out += text[i];
    i += std::max<std::size_t>(used, 1);
  }
  return out;
}

// The value of an attribute inside a tag, empty for one without; nothing when there is none.
std::optional<std::string> FindAttribute(string_view tag, string_view wanted) {
  std::size_t i = 0;
  while (i < tag.size()) {
    while (i < tag.size() && (IsSpace(tag[i]) || tag[i] == '/')) ++i;
    const std::size_t start = i;
    while (i < tag.size() && !IsSpace(tag[i]) && tag[i] != '=') ++i;
    const string_view name = tag.substr(start, i - start);
    while (i < tag.size() && IsSpace(tag[i])) ++i;
    if (i >= tag.size() || tag[i] != '=') {
      if (Lower(name) == wanted) return "";
      if (name.empty()) ++i;
      continue;
    }
    ++i;
    while (i < tag.size() && IsSpace(tag[i])) ++i;
    string_view value;
    if (i < tag.size() && (tag[i] == '"' || tag[i] == '\'')) {
      const std::size_t end = std::min(tag.find(tag[i], i + 1), tag.size());
      value = tag.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      const std::size_t from = i;
      while (i < tag.size() && !IsSpace(tag[i])) ++i;
      value = tag.substr(from, i - from);
    }
    if (Lower(name) == wanted) return Decode(value);
  }
  return std::nullopt;
}

std::string Attribute(string_view tag, string_view wanted) {
  return FindAttribute(tag, wanted).value_or("");
}

// Whether a browser would show nothing of an element with these attributes.
bool IsHidden(string_view attributes) {
  if (attributes.empty()) return false;
  if (FindAttribute(attributes, "hidden")) return true;
  std::string style = Lower(Attribute(attributes, "style"));
  std::erase_if(style, IsSpace);
  constexpr string_view kSigns[] = {"display:none", "visibility:hidden", "font-size:0;",
                                    "font-size:0p", "opacity:0;",        "color:transparent"};
  style += ';';
  return std::any_of(std::begin(kSigns), std::end(kSigns),
                     [&](string_view sign) { return style.find(sign) != std::string::npos; });
}

// Collects words, with space and empty lines folded.
class Page {
 public:
  void Text(string_view text) {
    for (const char c : Decode(text)) {
      if (preformatted) {
        Flush();
        out_ += c;
      } else if (IsSpace(c)) {
        space_ = true;
      } else {
        Flush();
        out_ += c;
      }
    }
  }
  void Break(int newlines) {
    newlines_ = std::max(newlines_, newlines);
    space_ = false;
  }
  void Mark(string_view mark) {
    Flush();
    out_ += mark;
  }
  // Behind the text so far, whatever space is still to come.
  void Attach(string_view text) { out_ += text; }
  std::size_t size() const { return out_.size(); }
  std::string Take() {
    while (!out_.empty() && IsSpace(out_.back())) out_.pop_back();
    return std::move(out_);
  }

  bool preformatted = false;

 private:
  void Flush() {
    if (out_.empty()) {
      newlines_ = 0;
      space_ = false;
    }
    if (newlines_ > 0) {
      while (!out_.empty() && out_.back() == ' ') out_.pop_back();
      int have = 0;
      for (auto c = out_.rbegin(); c != out_.rend() && *c == '\n' && have < newlines_; ++c) ++have;
      out_.append(static_cast<std::size_t>(newlines_ - have), '\n');
    } else if (space_ && !IsSpace(out_.back())) {
      out_ += ' ';
    }
    newlines_ = 0;
    space_ = false;
  }

  std::string out_;
  bool space_ = false;
  int newlines_ = 0;
};

class Reader {
 public:
  std::string Read(string_view html) {
    std::size_t i = 0;
    while (i < html.size()) {
      const std::size_t open = html.find('<', i);
      page_.Text(html.substr(i, open - i));
      if (open == string_view::npos) break;
      i = Markup(html, open);
    }
    return page_.Take();
  }

 private:
  // Takes the markup at `open`; returns where the text goes on.
  std::size_t Markup(string_view html, std::size_t open) {
    if (html.substr(open, 4) == "<!--") {
      const std::size_t end = html.find("-->", open + 4);
      return end == string_view::npos ? html.size() : end + 3;
    }
    const std::size_t end = TagEnd(html, open);
    const char next = open + 1 < html.size() ? html[open + 1] : ' ';
    const bool tag = next == '/' || next == '!' || next == '?' ||
                     (LowerChar(next) >= 'a' && LowerChar(next) <= 'z');
    if (!tag || end == string_view::npos) {
      page_.Text("<");
      return open + 1;
    }
    const bool closing = next == '/';
    string_view inside = html.substr(open + 1, end - open - 1);
    if (closing) inside.remove_prefix(1);
    std::size_t length = 0;
    while (length < inside.size() && !IsSpace(inside[length]) && inside[length] != '/') ++length;
    const std::string name = Lower(inside.substr(0, length));
    if (closing) {
      Close(name);
    } else if (OneOf(name, kHidden)) {
      return inside.ends_with('/') ? end + 1 : SkipElement(html, end + 1, name);
    } else if (!OneOf(name, kVoid) && IsHidden(inside.substr(length))) {
      return inside.ends_with('/') ? end + 1 : SkipNested(html, end + 1, name);
    } else {
      Open(name, inside.substr(length));
    }
    return end + 1;
  }

  // The '>' that ends the tag, past quoted attributes.
  static std::size_t TagEnd(string_view html, std::size_t open) {
    char quote = 0;
    const std::size_t last = std::min(html.size(), open + kMaxTagBytes);
    for (std::size_t i = open + 1; i < last; ++i) {
      const char c = html[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if ((c == '"' || c == '\'') && html[i - 1] == '=') {
        quote = c;
      } else if (c == '>') {
        return i;
      } else if (c == '<') {
        return string_view::npos;  // also keeps the search linear
      }
    }
    return string_view::npos;
  }

  static std::size_t SkipElement(string_view html, std::size_t from, string_view name) {
    for (std::size_t at = html.find("</", from); at != string_view::npos;
         at = html.find("</", at + 2)) {
      if (Lower(html.substr(at + 2, name.size())) != name) continue;
      const std::size_t end = html.find('>', at);
      return end == string_view::npos ? html.size() : end + 1;
    }
    return html.size();
  }

  // Behind the end of a hidden element, which may hold others of its name; the end of the page when
  // it is never closed.
  static std::size_t SkipNested(string_view html, std::size_t from, string_view name) {
    std::size_t depth = 1;
    for (std::size_t at = html.find('<', from); at != string_view::npos;
         at = html.find('<', at + 1)) {
      const bool closing = html.substr(at + 1, 1) == "/";
      const std::size_t begin = at + (closing ? 2 : 1);
      const string_view rest = html.substr(begin, name.size() + 1);
      if (Lower(rest.substr(0, name.size())) != name) continue;
      if (rest.size() > name.size() && !IsSpace(rest.back()) && rest.back() != '>') continue;
      depth = closing ? depth - 1 : depth + 1;
      if (depth > 0) continue;
      const std::size_t end = html.find('>', at);
      return end == string_view::npos ? html.size() : end + 1;
    }
    return html.size();
  }

  static bool IsHeading(string_view name) {
    return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
  }

  void Open(const std::string& name, string_view attributes) {
    if (IsHeading(name)) {
      page_.Break(2);
      page_.Mark(string_view("###### ").substr(static_cast<std::size_t>('6' - name[1])));
    } else if (name == "li") {
      page_.Break(1);
      page_.Mark("- ");
    } else if (name == "td" || name == "th") {
      if (!row_start_) page_.Mark(" | ");
      row_start_ = false;
    } else if (name == "a") {
      href_ = Attribute(attributes, "href");
      if (href_.size() > kMaxHrefBytes || href_.starts_with('#') ||
          href_.starts_with("javascript:") || href_.starts_with("data:")) {
        href_.clear();
      }
      link_start_ = page_.size();
    } else if (name == "img") {
      const std::string alt = Attribute(attributes, "alt");
      if (!alt.empty()) page_.Text("[" + alt + "]");
    } else if (OneOf(name, kLines)) {
      page_.Break(1);
      row_start_ = name == "tr";
    } else if (OneOf(name, kBlocks)) {
      page_.Break(2);
      page_.preformatted = page_.preformatted || name == "pre";
    }
  }

  void Close(const std::string& name) {
    if (name == "a" && !href_.empty()) {
      if (page_.size() > link_start_) page_.Attach(" (" + href_ + ")");
      href_.clear();
    } else if (name == "pre") {
      page_.preformatted = false;
      page_.Break(2);
    } else if (IsHeading(name) || OneOf(name, kBlocks)) {
      page_.Break(2);
    } else if (name == "li" || OneOf(name, kLines)) {
      page_.Break(1);
    }
  }

  Page page_;
  std::string href_;
  std::size_t link_start_ = 0;
  bool row_start_ = true;
};

}  // namespace

std::string HtmlToText(string_view html) {
  return Reader().Read(html);
}

}  // namespace talon::plugins
