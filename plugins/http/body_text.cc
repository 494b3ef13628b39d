// SPDX-License-Identifier: Apache-2.0
#include "http/body_text.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <cerrno>

#include "http/ascii.h"
#include "http/html_text.h"
#include "talon/sdk/text.h"

namespace talon::plugins {
namespace {

bool IsTextType(std::string_view type) {
  if (type.starts_with("text/")) return true;
  for (const std::string_view word : {"json", "xml", "javascript", "ecmascript", "yaml", "toml",
                                      "x-www-form-urlencoded", "csv", "x-sh", "graphql"}) {
    if (type.find(word) != std::string_view::npos && type.starts_with("application/")) return true;
  }
  return type == "image/svg+xml";
}

std::string Charset(const std::string& content_type) {
  const std::size_t at = content_type.find("charset=");
  if (at == std::string::npos) return "utf-8";
  std::string name = content_type.substr(at + 8);
  std::erase_if(name, [](char c) { return c == '"' || c == '\''; });
  name = name.substr(0, name.find_first_of("; ,"));
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return plain && name.size() < 32 ? name : "utf-8";
}

// Bytes that do not fit the charset become '?'; an unknown charset leaves the text as it is.
std::string ToUtf8(const std::string& body, const std::string& charset) {
  if (charset == "utf-8" || charset == "utf8" || charset == "us-ascii") return body;
  const iconv_t converter = iconv_open("UTF-8", charset.c_str());
  if (converter == iconv_t(-1)) return body;
  std::string in = body, out;
  char* from = in.data();
  std::size_t left = in.size();
  char buffer[4096];
  while (left > 0) {
    char* to = buffer;
    std::size_t room = sizeof buffer;
    const std::size_t result = iconv(converter, &from, &left, &to, &room);
    out.append(buffer, sizeof buffer - room);
    if (result != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    out += '?';
    ++from;
    --left;
  }
  iconv_close(converter);
  return out;
}

}  // namespace

std::string BodyText(const std::string& body, std::string_view content_type, BodyForm form) {
  const std::string whole = Lower(content_type);
  std::string type = whole.substr(0, whole.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  const std::string charset = Charset(whole);
  const bool wide = charset.starts_with("utf-16") || charset.starts_with("utf-32");
  const bool text = type.empty() || type == "application/octet-stream" || IsTextType(type);
  if (!text || (!wide && sdk::LooksBinary(body))) {
    return fmt::format("[{}, {}: not shown]", type.empty() ? "binary data" : type,
                       sdk::HumanSize(body.size()));
  }
  std::string utf8 = sdk::RepairUtf8(ToUtf8(body, charset));
  const bool html = type == "text/html" || type == "application/xhtml+xml";
  return html && form == BodyForm::kReadable ? HtmlToText(utf8) : utf8;
}

}  // namespace talon::plugins
