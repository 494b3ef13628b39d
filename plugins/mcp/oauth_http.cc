// SPDX-License-Identifier: Apache-2.0
#include "mcp/oauth_http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "mcp/elicitation.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxBody = 256 << 10;
constexpr long kTimeoutMs = 15'000;

std::size_t Append(char* data, std::size_t, std::size_t size, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size > kMaxBody) return 0;
  body.append(data, size);
  return size;
}

int Watch(void* caller, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Caller*>(caller)->cancelled() ? 1 : 0;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Web::Web(const std::string& server, const Caller& caller)
    : local_(IsThisMachine(server)), caller_(caller) {}

absl::StatusOr<WebAnswer> Web::Send(const Request& request) const {
  if (!IsSafePage(request.url) || (IsThisMachine(request.url) && !local_)) {
    return absl::PermissionDeniedError(
        fmt::format("'{}' is not asked: it must be https, or on this machine as the server is",
                    request.url.substr(0, 200)));
  }
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  curl_slist* headers = curl_slist_append(nullptr, "Accept: application/json");
  if (!request.content_type.empty()) {
    headers = curl_slist_append(headers, ("Content-Type: " + request.content_type).c_str());
  }
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> held(headers, curl_slist_free_all);
  std::string body;
  char error[CURL_ERROR_SIZE] = {};
  CURL* const curl = easy.get();
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Watch);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &caller_);
  if (!request.content_type.empty()) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  if (!request.basic.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_USERPWD, request.basic.c_str());
  }
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    return absl::UnavailableError(
        fmt::format("'{}': {}", request.url, *error != '\0' ? error : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  WebAnswer answer{.status = static_cast<int>(status), .body = nullptr};
  if (auto json = ParseJson(body); json.ok() && json->is_object()) answer.body = *std::move(json);
  return answer;
}

absl::StatusOr<WebAnswer> Web::Get(const std::string& url) const {
  return Send({.url = url, .body = "", .content_type = "", .basic = ""});
}

absl::StatusOr<WebAnswer> Web::PostForm(const std::string& url,
                                        const std::map<std::string, std::string>& form,
                                        const std::string& basic) const {
  std::string body;
  for (const auto& [name, value] : form) {
    body += fmt::format("{}{}={}", body.empty() ? "" : "&", name, UrlEncode(value));
  }
  return Send({.url = url,
               .body = std::move(body),
               .content_type = "application/x-www-form-urlencoded",
               .basic = basic});
}

absl::StatusOr<WebAnswer> Web::PostJson(const std::string& url, const Json& body) const {
  return Send({.url = url, .body = Dump(body), .content_type = "application/json", .basic = ""});
}

std::string UrlEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string UrlDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                        HexDigit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string OriginOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  std::string out(url.substr(0, url.find_first_of("/?#", scheme + 3)));
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string PathOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  const std::size_t path = url.find_first_of("/?#", scheme + 3);
  if (path == std::string_view::npos || url[path] != '/') return "";
  return std::string(url.substr(path, url.find_first_of("?#", path) - path));
}

}  // namespace talon::plugins::mcp
