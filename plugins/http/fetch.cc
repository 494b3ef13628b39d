// SPDX-License-Identifier: Apache-2.0
#include "http/fetch.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "http/address.h"
#include "http/ascii.h"
#include "http/url.h"

namespace talon::plugins {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectTimeout{10'000};
constexpr std::size_t kMaxHeaderBytes = 64u << 10;  // of a response, kept

struct CleanEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CleanMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front())) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.remove_suffix(1);
  return text;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7F && !std::strchr("()<>@,;:\\\"/[]?={}", c);
  });
}

absl::Status CheckRequest(const FetchRequest& request) {
  if (!IsToken(request.method) || request.method.size() > 16) {
    return absl::InvalidArgumentError("method: not an HTTP method");
  }
  for (const auto& [name, value] : request.headers) {
    const std::string lower = Lower(name);
    const bool framing = lower == "host" || lower == "content-length" ||
                         lower == "transfer-encoding" || lower == "connection";
    if (!IsToken(name) || framing ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) {
      return absl::InvalidArgumentError(
          fmt::format("header '{}': not allowed", name.substr(0, 64)));
    }
  }
  return absl::OkStatus();
}

// One request and its response, without redirects.
class Exchange {
 public:
  Exchange(const FetchRequest& request, const Url& url, const FetchPolicy& policy)
      : request_(request), url_(url), policy_(policy) {}

  absl::StatusOr<FetchResponse> Run(milliseconds timeout, const sdk::CallInfo& call) {
    easy_.reset(curl_easy_init());
    const std::unique_ptr<CURLM, CleanMulti> multi(curl_multi_init());
    if (!easy_ || !multi) return absl::ResourceExhaustedError("out of memory");
    SetUp(timeout);
    curl_multi_add_handle(multi.get(), easy_.get());
    const absl::StatusOr<CURLcode> code = Perform(multi.get(), call);
    curl_multi_remove_handle(multi.get(), easy_.get());
    if (!code.ok()) return code.status();
    if (absl::Status status = Judge(*code, timeout); !status.ok()) return status;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &response_.status);
    response_.url = url_.text;
    return std::move(response_);
  }

 private:
  template <class T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  void SetUp(milliseconds timeout) {
    Set(CURLOPT_URL, url_.text.c_str());
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_PROXY, "");  // through a proxy the connected address would say nothing
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(timeout, kConnectTimeout).count()));
    Set(CURLOPT_ACCEPT_ENCODING, "");
    Set(CURLOPT_ERRORBUFFER, error_);
    Set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::OpenSocket);
    Set(CURLOPT_OPENSOCKETDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
    Set(CURLOPT_HEADERDATA, this);
    if (request_.has_body) {
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      Set(CURLOPT_POSTFIELDS, request_.body.data());
    }
    if (request_.method == "HEAD") {
      Set(CURLOPT_NOBODY, 1L);
    } else {
      Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    SetHeaders();
  }

  void SetHeaders() {
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : request_.headers) headers[Lower(name)] = value;
    headers.try_emplace("user-agent", "talon-http/1.0");
    if (!request_.body.empty()) {
      const bool json = request_.body.starts_with('{') || request_.body.starts_with('[');
      headers.try_emplace("content-type", json ? "application/json" : "text/plain; charset=utf-8");
    }
    // "name:" removes a header libcurl would send by itself, "name;" sends an empty one.
    AddHeader("expect:");
    if (request_.body.empty()) AddHeader("content-type:");
    for (const auto& [name, value] : headers) {
      AddHeader(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    Set(CURLOPT_HTTPHEADER, header_list_.get());
  }

  void AddHeader(const std::string& line) {
    header_list_.reset(curl_slist_append(header_list_.release(), line.c_str()));
  }

  absl::StatusOr<CURLcode> Perform(CURLM* multi, const sdk::CallInfo& call) {
    curl_waitfd cancel = {call.cancel_fd(), CURL_WAIT_POLLIN, 0};
    const unsigned extra = cancel.fd >= 0 ? 1 : 0;
    int running = 1;
    while (true) {
      CURLMcode code = curl_multi_perform(multi, &running);
      if (code == CURLM_OK && running > 0) {
        // libcurl shortens the wait to its own next timeout.
        code = curl_multi_poll(multi, &cancel, extra, 60'000, nullptr);
      }
      if (code != CURLM_OK) return absl::UnavailableError(curl_multi_strerror(code));
      if (call.cancelled()) return absl::CancelledError(fmt::format("'{}': cancelled", url_.text));
      if (running == 0) break;
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return absl::InternalError("transfer ended without a result");
  }

  absl::Status Judge(CURLcode code, milliseconds timeout) const {
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && response_.body_cut)) {
      return absl::OkStatus();
    }
    if (!refused_.empty()) {
      return absl::PermissionDeniedError(
          fmt::format("'{}' resolves to {}: not allowed by the http plugin's configuration",
                      url_.text, refused_));
    }
    const std::string why = *error_ != '\0' ? error_ : curl_easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return absl::DeadlineExceededError(
          fmt::format("'{}': no answer within {} ms ({})", url_.text, timeout.count(), why));
    }
    return absl::UnavailableError(fmt::format("'{}': {}", url_.text, why));
  }

  bool AnyAddressAllowed() const {
    return policy_.allow_private || policy_.allow_hosts.contains(url_.host) ||
           policy_.allow_hosts.contains(url_.host + ":" + url_.port);
  }

  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    const std::string_view why = WhyNotPublic(&address->addr, address->addrlen);
    if (!why.empty() && !exchange.AnyAddressAllowed()) {
      exchange.refused_ = fmt::format("{}, {}", AddressText(&address->addr, address->addrlen), why);
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    FetchResponse& response = exchange.response_;
    const std::size_t room = exchange.policy_.max_body_bytes - response.body.size();
    response.body.append(data, std::min(size, room));
    response.body_cut = size > room;
    return response.body_cut ? 0 : size;
  }

  static std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const std::string_view line = Trim({data, size});
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      exchange.response_.headers.clear();  // those before were of an interim response
    } else if (colon != std::string_view::npos && exchange.header_bytes_ < kMaxHeaderBytes) {
      exchange.header_bytes_ += size;
      std::string& value = exchange.response_.headers[Lower(Trim(line.substr(0, colon)))];
      if (!value.empty()) value += ", ";
      value += Trim(line.substr(colon + 1));
    }
    return size;
  }

  const FetchRequest& request_;
  const Url& url_;
  const FetchPolicy& policy_;
  std::unique_ptr<curl_slist, FreeList> header_list_;
  std::unique_ptr<CURL, CleanEasy> easy_;
  FetchResponse response_;
  std::size_t header_bytes_ = 0;
  std::string refused_;  // the last address that was not allowed, and why
  char error_[CURL_ERROR_SIZE] = {};
};

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// `location` seen from `base`.
absl::StatusOr<Url> Resolve(const Url& base, const std::string& location) {
  CURLU* url = curl_url();
  curl_url_set(url, CURLUPART_URL, base.text.c_str(), 0);
  const CURLUcode code = curl_url_set(url, CURLUPART_URL, location.c_str(),
                                      CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE);
  char* text = nullptr;
  if (code == CURLUE_OK) curl_url_get(url, CURLUPART_URL, &text, 0);
  const std::string resolved = text == nullptr ? "" : text;
  curl_free(text);
  curl_url_cleanup(url);
  if (resolved.empty()) {
    return absl::UnavailableError(
        fmt::format("'{}': redirects to an address that is no url", base.text));
  }
  return Url::Parse(resolved);
}

}  // namespace

absl::StatusOr<FetchResponse> Fetch(const FetchRequest& request, const FetchPolicy& policy,
                                    const sdk::CallInfo& call) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return status;
  absl::StatusOr<Url> url = Url::Parse(request.url);
  if (!url.ok()) return url.status();
  FetchRequest current = request;
  // A server may insist on a length, even of nothing.
  current.has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
                     request.method == "PATCH";
  const auto deadline = std::chrono::steady_clock::now() + call.TimeLeft(policy.timeout);
  for (int redirects = 0;; ++redirects) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return absl::DeadlineExceededError(fmt::format("'{}': timed out", url->text));
    }
    absl::StatusOr<FetchResponse> response = Exchange(current, *url, policy).Run(left, call);
    if (!response.ok()) return response;
    response->redirects = redirects;
    const auto location = response->headers.find("location");
    if (!IsRedirect(response->status) || location == response->headers.end()) return response;
    absl::StatusOr<Url> next = Resolve(*url, location->second);
    if (!next.ok()) return next.status();

    const bool safe = current.method == "GET" || current.method == "HEAD";
    const bool same_origin = next->SameOrigin(*url);
    if (!safe && !same_origin) return response;
    if (redirects == policy.max_redirects) {
      return absl::UnavailableError(
          fmt::format("'{}': more than {} redirects", request.url, policy.max_redirects));
    }
    if (!same_origin) current.headers.clear();
    const bool to_get =
        response->status == 303 || (current.method == "POST" && response->status <= 302);
    if (!safe && to_get) {
      current.method = "GET";
      current.body.clear();
      current.has_body = false;
    }
    url = *std::move(next);
  }
}

}  // namespace talon::plugins
