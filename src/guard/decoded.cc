// SPDX-License-Identifier: Apache-2.0
#include "guard/decoded.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "guard/fold.h"
#include "guard/form_text.h"
#include "io/http_types.h"

namespace talon::guard {
namespace {

constexpr int kUrlRounds = 3;
constexpr std::size_t kLeastBase64 = 20;
constexpr std::size_t kMaxTexts = 64;  // of base64, in one message

std::int32_t CodeAt(std::string_view text, std::size_t at, std::size_t* size) {
  std::int32_t code = -1;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at,
                       static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  *size = length > 0 ? static_cast<std::size_t>(length) : 1;
  return length > 0 ? code : -1;
}

void AppendCode(std::string& out, std::int32_t code) {
  std::uint8_t bytes[4];
  const utf8proc_ssize_t size = utf8proc_encode_char(code, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

// "&#105;", "&#x69;", "&lt;" at `at`; its bytes, 0 when there is none.
std::size_t AppendReference(std::string_view text, std::size_t at, std::string& out) {
  const std::size_t end = text.substr(at, 12).find(';');
  if (end == std::string_view::npos || end < 3) return 0;
  const std::string name(text.substr(at + 1, end - 1));
  if (name[0] == '#') {
    const bool hex = name[1] == 'x' || name[1] == 'X';
    char* rest = nullptr;
    const long code = std::strtol(name.c_str() + (hex ? 2 : 1), &rest, hex ? 16 : 10);
    if (*rest != '\0' || code <= 0 || !utf8proc_codepoint_valid(static_cast<std::int32_t>(code))) {
      return 0;
    }
    AppendCode(out, static_cast<std::int32_t>(code));
    return end + 1;
  }
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"lt", "<"}, {"gt", ">"}, {"amp", "&"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}};
  for (const auto& [known, value] : kNames) {
    if (known != name) continue;
    out += value;
    return end + 1;
  }
  return 0;
}

bool IsBase64(char c) {
  return IsIdentifier(c) || c == '+' || c == '/' || c == '-';
}

// UTF-8 that a person could have written.
bool IsText(std::string_view bytes) {
  if (bytes.empty() || !IsValidUtf8(bytes)) return false;
  return std::none_of(bytes.begin(), bytes.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 && !IsSpace(c); });
}

}  // namespace

std::string NormalText(std::string_view text) {
  std::uint8_t* mapped = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const std::uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  if (size < 0) return "";
  std::string out;
  out.reserve(static_cast<std::size_t>(size));
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    const char c = static_cast<char>(mapped[i]);
    if (c == '\n' || c == '\r') {
      while (!out.empty() && out.back() == ' ') out.pop_back();
      if (!out.empty() && out.back() != '\n') out += '\n';
    } else if (c == ' ' || c == '\t') {
      if (!out.empty() && !IsSpace(out.back())) out += ' ';
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out += c;
    }
  }
  std::free(mapped);  // utf8proc allocates with malloc
  return out;
}

std::string LatinText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Folded folded = FoldAt(text, at);
    if (folded.c == kOther) {
      out += text.substr(at, folded.size);
    } else if (folded.c != kSkip) {
      out += folded.c;
    }
    at += folded.size;
  }
  return out;
}

std::string HtmlDecoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t used = text[at] == '&' ? AppendReference(text, at, out) : 0;
    if (used == 0) out += text[at];
    at += std::max<std::size_t>(used, 1);
  }
  return out;
}

std::string UrlDecoded(std::string_view text) {
  std::string out(text);
  for (int round = 0; round < kUrlRounds && out.find('%') != std::string::npos; ++round) {
    std::string next = io::PercentDecode(out);
    if (next == out) break;
    out = std::move(next);
  }
  return RepairUtf8(out);
}

std::vector<std::string> Base64Texts(std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size() && found.size() < kMaxTexts; ++at) {
    const std::size_t begin = at;
    while (at < text.size() && IsBase64(text[at])) ++at;
    if (at - begin < kLeastBase64) continue;
    std::string run(text.substr(begin, at - begin));
    std::replace(run.begin(), run.end(), '-', '+');
    std::replace(run.begin(), run.end(), '_', '/');
    if (run.size() % 4 == 1) run.pop_back();
    run.append((4 - run.size() % 4) % 4, '=');
    std::string bytes;
    if (Base64Decode(run, &bytes) && IsText(bytes)) found.push_back(std::move(bytes));
  }
  return found;
}

std::string TagText(std::string_view text) {
  std::string out;
  for (std::size_t at = text.find('\xF3'); at < text.size(); at = text.find('\xF3', at)) {
    std::size_t size = 0;
    const std::int32_t code = CodeAt(text, at, &size);
    if (code >= 0xE0020 && code < 0xE007F) out += static_cast<char>(code - 0xE0000);
    at += size;
  }
  return out;
}

}  // namespace talon::guard
