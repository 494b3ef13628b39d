// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "io/curl_transfer.h"

namespace talon::io {
namespace {

// RFC 9110 token.
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

bool HasScheme(std::string_view url, std::string_view scheme) {
  return EqualsIgnoreCase(url.substr(0, scheme.size()), scheme);
}

}  // namespace

absl::Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) {
    return InvalidArgument("http request: the method is not a word of letters");
  }
  const bool scheme = HasScheme(request.url, "http://") || HasScheme(request.url, "https://");
  if (!scheme || HasControl(request.url) || request.url.find('\t') != std::string::npos) {
    return InvalidArgument(fmt::format(
        "{}: the URL must start with http:// or https:// and hold no control characters",
        request.method));
  }
  for (const auto& [name, value] : request.headers.items()) {
    if (!IsToken(name) || HasControl(value)) {
      return InvalidArgument(
          fmt::format("{}: header '{}' cannot be sent: control characters or bad name",
                      DescribeRequest(request), RepairUtf8(name)));
    }
  }
  return absl::OkStatus();
}

std::string DescribeRequest(const HttpRequest& request) {
  std::string_view url = request.url;
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t host = url.find("://") == std::string_view::npos ? 0 : url.find("://") + 3;
  const std::size_t host_end = std::min(url.find('/', host), url.size());
  const std::size_t at = url.substr(0, host_end).rfind('@');
  const std::size_t shown = at == std::string_view::npos || at < host ? host : at + 1;
  return fmt::format("{} {}{}", request.method, url.substr(0, host), url.substr(shown));
}

}  // namespace talon::io
