// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "http/ascii.h"

namespace talon::plugins {
namespace {

constexpr std::size_t kMaxUrlBytes = 8192;

struct CleanUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

}  // namespace

absl::StatusOr<Url> Url::Parse(const std::string& text) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("url '{}': {}", text.substr(0, 200), why));
  };
  if (text.size() > kMaxUrlBytes) return bad(fmt::format("longer than {} bytes", kMaxUrlBytes));
  const bool odd = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
  });
  if (odd) return bad("has spaces or control characters; encode them");
  const std::unique_ptr<CURLU, CleanUrl> url(curl_url());
  if (!url) return absl::ResourceExhaustedError("url: out of memory");
  // A scheme libcurl does not know is still one we can name as not allowed.
  const CURLUcode code =
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) return bad(curl_url_strerror(code));
  Url out;
  out.scheme = Part(url.get(), CURLUPART_SCHEME);
  if (out.scheme != "http" && out.scheme != "https") return bad("only http and https are allowed");
  if (!Part(url.get(), CURLUPART_USER).empty() || !Part(url.get(), CURLUPART_PASSWORD).empty()) {
    return bad("user names and passwords in a url are not allowed");
  }
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  out.host = Part(url.get(), CURLUPART_HOST);
  std::transform(out.host.begin(), out.host.end(), out.host.begin(), LowerChar);
  out.port = Part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  out.text = Part(url.get(), CURLUPART_URL);
  if (out.host.empty() || out.text.empty()) return bad("has no host");
  return out;
}

}  // namespace talon::plugins
