// SPDX-License-Identifier: Apache-2.0
// One client connection of the HTTP server. Requests are served one after the other; what a client
// pipelines waits in `pending_`. Between requests a connection holds its socket, this object and
// one wait for readability: parser, buffers and coroutine exist only while a request does. Loop's
// thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "io/http_exchange.h"
#include "io/http_request_parser.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "io/options.h"

namespace talon::io {

class Connection;

// What connections share. Lives until the last of them is gone.
class ConnectionHost {
 public:
  ConnectionHost(Loop& loop_in, HttpServerOptions options_in, HttpHandler handler_in,
                 BodyGate body_gate_in)
      : loop(loop_in),
        options(std::move(options_in)),
        handler(std::move(handler_in)),
        body_gate(std::move(body_gate_in)) {}
  virtual ~ConnectionHost() = default;
  // `connection` is closed and no handler of its runs; drops the host's reference.
  virtual void Forget(Connection& connection) = 0;
  // The Date header's value, made once a second.
  std::string_view Date();

  Loop& loop;
  HttpServerOptions options;
  const HttpHandler handler;
  const BodyGate body_gate;  // may be null
  bool draining = false;
  std::uint64_t body_bytes = 0;        // of bodies that are being read
  std::size_t lingering = 0;           // connections that are answered and wait for their end
  std::array<char, 16 << 10> scratch;  // bytes on their way from a socket to a parser

 private:
  std::time_t date_second_ = 0;
  std::string date_;
};

// Shared: the host has it while it is open, and its pending waits and its handler while they last.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ConnectionHost> host, std::string peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes `fd`, a non-blocking socket, and closes it on failure. First of all calls.
  absl::Status Adopt(int fd);
  // Waits for the first request.
  void Start();
  // Answers `problem`, then closes once the client has or header_timeout is over: closing at once
  // would let the kernel drop the answer while the client still sends.
  void Refuse(const HttpProblem& problem);
  // Closes unless a request is under way.
  void CloseIfIdle();
  // Ends what is under way: cancels the handler (the connection closes when it ends) or closes.
  void Abort(const absl::Status& reason);

  // For the exchange. Sends without waiting and returns the number of bytes taken.
  std::size_t TrySend(std::string_view data);
  // Ends when the kernel has all bytes; the reason once the client is gone.
  Task<absl::Status> SendAll(std::string data);
  bool sending() const { return sending_; }
  // Not OK once the client left, stalled or broke off, or the server aborted the request.
  const absl::Status& gone() const { return gone_; }
  ConnectionHost& host() { return *host_; }
  // Runs FlushHead of the exchange when the handler next waits for something.
  void FlushHeadSoon();

 private:
  enum class Phase : std::uint8_t { kIdle, kReading, kHandling, kLingering, kClosed };
  using Clock = std::chrono::steady_clock;

  void WaitReadable();
  void OnReadable();
  void ReadRequest();
  void Consume(std::string_view data);
  void AwaitMore();
  // Counts what was read of a body; false when all bodies together are too large now.
  bool CountBody(std::size_t bytes);
  // Whatever was being read is read, or given up.
  void DropParser();
  void HandleRequest();
  void ReadAhead();
  // The client has said its last word: it is gone, or it still takes its answer.
  void OnEndOfInput();
  void OnHandlerDone(const std::exception_ptr& error);
  void NextRequest();
  void Linger();
  void Discard();
  void Gone(absl::Status reason);
  void Close();

  // One deadline at a time. A timer armed for less than the deadline stays and is re-armed when it
  // fires, so a request that is answered at once touches no timer.
  void SetDeadline(std::chrono::milliseconds after);
  void DropTimer();
  void OnTimer();
  void OnDeadline();

  const std::shared_ptr<ConnectionHost> host_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> socket_;
  const std::string peer_;
  Phase phase_ = Phase::kIdle;
  bool waiting_readable_ = false;
  bool input_ended_ = false;
  bool sending_ = false;
  bool broken_ = false;    // an answer was cut: nothing may follow it
  bool shut_out_ = false;  // the request's body is not read
  RequestParser::State awaited_ = RequestParser::State::kDone;  // the part whose timeout runs
  std::uint64_t body_bytes_ = 0;                                // ours in host_->body_bytes
  std::uint64_t linger_bytes_ = 0;                              // still to be discarded at most
  SteadyTime deadline_ = SteadyTime::max();
  TimerId timer_;
  std::string pending_;  // received, not parsed
  std::unique_ptr<RequestParser> parser_;
  std::unique_ptr<Exchange> exchange_;
  absl::Status gone_;  // why the client cannot be answered any more
};

}  // namespace talon::io
