// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server (parsing by Boost.Beast): keep-alive, chunked streaming, server-sent events,
// limits on header, body, connections and time. One coroutine a request on the loop's thread; an
// idle connection costs a socket, under 10 KB and no wake-up. Malformed input is answered (400,
// 408, 413, 431, 501, 503 with a JSON error body) and never reaches the handler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "io/http_types.h"
#include "io/options.h"
#include "io/task.h"

namespace talon::io {

class Loop;

struct ServerRequest {
  std::string method;  // upper case
  std::string target;  // as sent: path and query
  std::string path;    // percent-decoded
  std::string query;   // as sent, without '?'
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:5555"
  // Cancelled when the client goes away before the answer is complete, or the server is drained
  // past its deadline. A client that only ends its side (a half-close) gets its answer.
  CancelToken client_gone;
};

struct ServerResponse {
  int status = 200;
  Headers headers;  // Content-Length, Date and Connection are added
  std::string body;
};

// Given to the handler. Exactly one answer: Send, or StartStream, Write…, Finish. Loop's thread.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual Task<absl::Status> Send(ServerResponse response) = 0;
  // Sends status and headers now; the body follows chunked. `response.body` must be empty.
  virtual Task<absl::Status> StartStream(ServerResponse response) = 0;
  // Ends when the bytes are with the kernel, so a slow client slows the writer. Cancelled when the
  // client is gone.
  virtual Task<absl::Status> Write(std::string data) = 0;
  virtual Task<absl::Status> Finish() = 0;
  virtual bool started() const = 0;
};

// An error status or a missing answer becomes a 500.
using HttpHandler = std::function<Task<void>(ServerRequest request, ResponseWriter& writer)>;

// Asked with a request's head before its body is read. False: the handler gets the request without
// its body, to refuse it, and the connection ends after the answer.
using BodyGate = std::function<bool(const ServerRequest& head)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // The port in use, also when 0 was asked for.
  virtual std::uint16_t port() const = 0;
  virtual std::size_t open_connections() const = 0;
  // Stops accepting, closes idle connections, lets requests under way finish until `deadline`, then
  // cancels them; ends when the last handler has. Idempotent. Await it before destruction, which
  // otherwise cancels at once and leaves the handlers to the loop.
  virtual Task<void> Drain(SteadyTime deadline) = 0;
  // Limits and timeouts from now on; connections keep those they wait by. `bind` and `port` stay.
  virtual void Update(const HttpServerOptions& options) = 0;
};

// Binds and listens; fails with AlreadyExists/"port in use" naming address and port.
absl::StatusOr<std::unique_ptr<HttpServer>> MakeHttpServer(Loop& loop, HttpServerOptions options,
                                                           HttpHandler handler,
                                                           BodyGate body_gate = nullptr);

}  // namespace talon::io
