// SPDX-License-Identifier: Apache-2.0
#include "io/curl_transfer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "io/curl_driver.h"
#include "io/curl_error.h"

namespace talon::io {
namespace {

constexpr long kMaxRedirects = 5;

// IPv4 in IPv6 becomes IPv4, so that no rule is got around by the notation.
std::string PlainAddress(const std::string& address) {
  in6_addr v6{};
  char text[INET_ADDRSTRLEN] = "";
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1 || !IN6_IS_ADDR_V4MAPPED(&v6)) {
    return address;
  }
  return ::inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof(text));
}

// Empty for what is neither IPv4 nor IPv6.
std::string NumericAddress(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
                sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
                sizeof(text));
  }
  return PlainAddress(text);
}

}  // namespace

struct CurlCallbacks {
  static std::size_t Header(char* data, std::size_t size, std::size_t count, void* self) {
    const std::size_t bytes = size * count;
    return static_cast<CurlTransfer*>(self)->TakeHeaderLine({data, bytes}) ? bytes : 0;
  }

  static std::size_t Body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    if (transfer.buffer_.size() >= transfer.driver_->options().stream_buffer.value) {
      transfer.paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    const std::size_t bytes = size * count;
    return transfer.TakeBody({data, bytes}) ? bytes : CURL_WRITEFUNC_ERROR;
  }

  static curl_socket_t OpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    if (transfer.request_.check_address &&
        !transfer.AddressAllowed(NumericAddress(&address->addr))) {
      return CURL_SOCKET_BAD;
    }
    // libcurl's own sockets would be inherited by child processes.
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  // Before the request goes out, also on a connection that was opened for somebody else.
  static int Send(void* self, char* address, char*, int, int) {
    return static_cast<CurlTransfer*>(self)->AddressAllowed(PlainAddress(address))
               ? CURL_PREREQFUNC_OK
               : CURL_PREREQFUNC_ABORT;
  }
};

CurlTransfer::CurlTransfer(CurlDriver& driver, HttpRequest request)
    : driver_(&driver), request_(std::move(request)) {}

CurlTransfer::~CurlTransfer() {
  clear_easy();
}

void CurlTransfer::clear_easy() {
  ::curl_slist_free_all(std::exchange(header_list_, nullptr));
  easy_ = nullptr;
}

template <class Value>
void CurlTransfer::Set(int option, Value value) {
  const CURLcode code = ::curl_easy_setopt(easy_, static_cast<CURLoption>(option), value);
  if (code != CURLE_OK && set_error_ == CURLE_OK) set_error_ = code;
}

absl::Status CurlTransfer::Configure(void* easy) {
  easy_ = easy;
  Set(CURLOPT_ERRORBUFFER, error_text_.data());
  Set(CURLOPT_NOSIGNAL, 1L);
  SetRequest();
  SetHeaders();
  SetPolicy();
  if (set_error_ == CURLE_OK) return absl::OkStatus();
  return CurlError(set_error_, "", DescribeRequest(request_));
}

void CurlTransfer::SetRequest() {
  Set(CURLOPT_URL, request_.url.c_str());
  const std::string& method = request_.method;
  const bool sends_body =
      !request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
  if (sends_body) {
    // Not copied by libcurl: the body lives here as long as the handle is in use.
    Set(CURLOPT_POSTFIELDS, request_.body.c_str());
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    if (method != "POST") Set(CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method == "HEAD") {
    Set(CURLOPT_NOBODY, 1L);
  } else if (method != "GET") {
    Set(CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  Set(CURLOPT_HEADERFUNCTION, &CurlCallbacks::Header);
  Set(CURLOPT_HEADERDATA, this);
  Set(CURLOPT_WRITEFUNCTION, &CurlCallbacks::Body);
  Set(CURLOPT_WRITEDATA, this);
}

void CurlTransfer::SetHeaders() {
  const auto add = [this](const std::string& line) {
    curl_slist* longer = ::curl_slist_append(header_list_, line.c_str());
    if (longer == nullptr) {
      set_error_ = CURLE_OUT_OF_MEMORY;
    } else {
      header_list_ = longer;
    }
  };
  for (const auto& [name, value] : request_.headers.items()) {
    // The framing is libcurl's business.
    if (EqualsIgnoreCase(name, "Content-Length") || EqualsIgnoreCase(name, "Transfer-Encoding")) {
      continue;
    }
    add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  // No waiting for "100 Continue", no form type that nobody asked for.
  if (!request_.headers.Has("Expect")) add("Expect:");
  if (!request_.headers.Has("Content-Type")) add("Content-Type:");
  Set(CURLOPT_HTTPHEADER, header_list_);
  if (!request_.headers.Has("User-Agent")) {
    Set(CURLOPT_USERAGENT, driver_->options().user_agent.c_str());
  }
}

void CurlTransfer::SetPolicy() {
  const HttpClientOptions& options = driver_->options();
  const bool secure = EqualsIgnoreCase(std::string_view(request_.url).substr(0, 6), "https:");
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  Set(CURLOPT_FOLLOWLOCATION, request_.follow_redirects ? 1L : 0L);
  Set(CURLOPT_MAXREDIRS, kMaxRedirects);
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  Set(CURLOPT_TCP_KEEPALIVE, 1L);
  SetTls();
  // The rules hold for each hop of a redirect, so loopback is an exception and not a switch.
  if (options.use_proxy) {
    Set(CURLOPT_NOPROXY, driver_->no_proxy().c_str());
  } else {
    Set(CURLOPT_PROXY, "");
  }
  Set(CURLOPT_OPENSOCKETFUNCTION, &CurlCallbacks::OpenSocket);
  Set(CURLOPT_OPENSOCKETDATA, this);
  if (request_.check_address) {
    Set(CURLOPT_PREREQFUNCTION, &CurlCallbacks::Send);
    Set(CURLOPT_PREREQDATA, this);
  }
}

void CurlTransfer::SetTls() {
  if (!driver_->options().verify_tls) {
    for (const CURLoption peer : {CURLOPT_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYPEER}) {
      Set(peer, 0L);
    }
    for (const CURLoption host : {CURLOPT_SSL_VERIFYHOST, CURLOPT_PROXY_SSL_VERIFYHOST}) {
      Set(host, 0L);
    }
  }
  if (driver_->ca_file().empty()) return;
  Set(CURLOPT_CAINFO, driver_->ca_file().c_str());
  Set(CURLOPT_PROXY_CAINFO, driver_->ca_file().c_str());
  // Without these, the system's folder of authorities would count besides the file.
  Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  Set(CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
}

void CurlTransfer::Bind(const CallContext& context) {
  const auto end = [this](absl::Status status) {
    drop_buffer_ = true;
    End(std::move(status));
  };
  if (ended_) return;
  if (context.deadline != SteadyTime::max()) {
    deadline_timer_ = driver_->loop().CallAt(context.deadline, [this, end] {
      end(DeadlineExceeded(DescribeRequest(request_) + ": the deadline passed"));
    });
  }
  cancel_ = context.cancel.OnCancel([end, cancel = context.cancel] { end(cancel.status()); });
}

bool CurlTransfer::TakeHeaderLine(std::string_view line) {
  if (headers_ready_) return true;  // a trailer
  header_bytes_ += line.size();
  if (header_bytes_ > driver_->options().max_response_header.value) {
    refusal_ = ResourceExhausted(fmt::format("{}: the header of the answer exceeds {} bytes",
                                             DescribeRequest(request_),
                                             driver_->options().max_response_header.value));
    return false;
  }
  line = TrimSpace(line);
  if (line.starts_with("HTTP/")) {
    headers_ = {};
    status_ = 0;
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), status_);
    }
    return true;
  }
  if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    headers_.Add(std::string(TrimSpace(line.substr(0, colon))),
                 std::string(TrimSpace(line.substr(colon + 1))));
    return true;
  }
  if (!line.empty()) return true;
  const bool redirects =
      request_.follow_redirects && status_ >= 300 && status_ < 400 && headers_.Has("Location");
  headers_ready_ = status_ >= 200 && !redirects;
  if (headers_ready_) Wake();
  return true;
}

bool CurlTransfer::TakeBody(std::string_view piece) {
  if (ended_) return false;
  body_bytes_ += piece.size();
  if (request_.max_body_bytes != 0 && body_bytes_ > request_.max_body_bytes) {
    refusal_ = ResourceExhausted(fmt::format("{}: the answer is larger than {} bytes",
                                             DescribeRequest(request_), request_.max_body_bytes));
    return false;
  }
  buffer_ += piece;
  Wake();
  return true;
}

bool CurlTransfer::AddressAllowed(const std::string& address) {
  if (!refusal_.ok()) return false;
  refusal_ = request_.check_address(address);
  if (refusal_.ok()) return true;
  // Ends it here: libcurl would try the host's next address.
  End(refusal_);
  return false;
}

void CurlTransfer::Finish(int curl_code) {
  if (!refusal_.ok()) {
    End(refusal_);
  } else if (curl_code == CURLE_OK) {
    End(absl::OkStatus());
  } else {
    End(CurlError(curl_code, error_text_.data(), DescribeRequest(request_)));
  }
}

void CurlTransfer::End(absl::Status status) {
  if (std::exchange(ended_, true)) return;
  end_status_ = std::move(status);
  cancel_ = {};
  driver_->loop().CancelTimer(deadline_timer_);
  if (easy_ != nullptr) driver_->Release(*this);
  Wake();
}

Task<absl::Status> CurlTransfer::WaitHeaders() {
  while (!headers_ready_ && !ended_) co_await Wait();
  if (headers_ready_ && !drop_buffer_) co_return absl::OkStatus();
  if (!end_status_.ok()) co_return end_status_;
  co_return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport,
                      DescribeRequest(request_) + ": the answer has no status line");
}

Task<absl::StatusOr<std::string>> CurlTransfer::Read() {
  while (true) {
    if (!buffer_.empty() && !drop_buffer_) {
      std::string piece = std::exchange(buffer_, {});
      if (paused_ && !ended_) driver_->Resume(*this);
      co_return piece;
    }
    if (ended_ && end_status_.ok()) co_return std::string();
    if (ended_) co_return end_status_;
    co_await Wait();
  }
}

Task<bool> CurlTransfer::Wait() {
  wake_.emplace();
  return wake_->Wait();
}

void CurlTransfer::Wake() {
  if (wake_) wake_->Set(true);
}

}  // namespace talon::io
