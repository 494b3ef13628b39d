// SPDX-License-Identifier: Apache-2.0
// Outbound HTTP: libcurl's multi interface driven by the event loop. TLS with the system's roots or
// those of a file, HTTP/2 by ALPN, proxies from the environment but never to loopback, redirects
// only when asked for, connection reuse. The environment is read at the first request.
// Owned by daemon/. Loop's thread. Errors: Unavailable/kTransport (connect, TLS, cut),
// DeadlineExceeded, Cancelled, ResourceExhausted (header or body limit), InvalidArgument (URL,
// method, header), FailedPrecondition (too many redirects, redirect to a scheme not allowed). Error
// texts name method and URL without user info and query, which may hold credentials.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/http_types.h"
#include "io/options.h"
#include "io/task.h"

namespace talon::io {

class Loop;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  // At most 5, same scheme or to https. Another host gets neither Authorization nor Cookie, but
  // every other header of this request.
  bool follow_redirects = false;
  std::uint64_t max_body_bytes = 64u << 20;  // of the response; 0 = unlimited
  // Called with the numeric address (IPv4 in IPv6 as plain IPv4) before each connection is opened
  // and before a request goes out on a kept one (redirects too); an error refuses it and ends the
  // request with that error. Behind a proxy it sees the proxy's address. Unset: every address is
  // allowed.
  std::function<absl::Status(const std::string& address)> check_address;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// An answer whose body is read piece by piece. Destroying it ends the transfer.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // The next piece of the body; empty at its end. While nobody reads, the transfer is paused, so a
  // slow reader slows the sender and memory stays bounded (HttpClientOptions::stream_buffer).
  virtual Task<absl::StatusOr<std::string>> Read() = 0;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Ends when the status line and headers are there. `context` bounds the whole transfer.
  virtual Task<absl::StatusOr<std::unique_ptr<HttpStream>>> Open(HttpRequest request,
                                                                 CallContext context) = 0;
  // Open and read to the end. Any status code is a success here.
  Task<absl::StatusOr<HttpResponse>> Fetch(HttpRequest request, CallContext context);
};

// The client that talks to the network. `loop` must outlive it. Its destruction cancels the
// transfers under way. libcurl is set up by the first request, not before.
std::unique_ptr<HttpClient> MakeCurlClient(Loop& loop, HttpClientOptions options);

}  // namespace talon::io
