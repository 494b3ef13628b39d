// SPDX-License-Identifier: Apache-2.0
#include "io/http_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "io/peer_end.h"

namespace talon::io {
namespace {

using boost::system::error_code;

constexpr int kBodiesRetry = 1;  // seconds: bodies come and go fast

bool WouldBlock(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

std::string What(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "not a std::exception";
  }
}

}  // namespace

std::string_view ConnectionHost::Date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_ = FormatHttpDate(now);
  }
  return date_;
}

Connection::Connection(std::shared_ptr<ConnectionHost> host, std::string peer)
    : host_(std::move(host)),
      socket_(host_->loop.context().get_executor()),
      peer_(std::move(peer)) {}

Connection::~Connection() {
  host_->loop.CancelTimer(timer_);
}

absl::Status Connection::Adopt(int fd) {
  error_code error;
  socket_.assign(fd, error);
  if (!error) return absl::OkStatus();
  ::close(fd);
  return ErrnoToStatus(error.value(), fmt::format("watch the connection of {}", peer_));
}

void Connection::Start() {
  SetDeadline(host_->options.idle_timeout);
  WaitReadable();
}

void Connection::WaitReadable() {
  if (waiting_readable_ || phase_ == Phase::kClosed) return;
  if (input_ended_) return phase_ == Phase::kHandling ? void() : Close();
  waiting_readable_ = true;
  socket_.async_wait(socket_.wait_read, [self = shared_from_this()](const error_code& error) {
    self->waiting_readable_ = false;
    if (!error) {
      self->OnReadable();
    } else if (self->phase_ == Phase::kLingering) {
      self->WaitReadable();  // Gone() cancelled the wait of the handler's time
    }
  });
}

void Connection::OnReadable() {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kReading:
      return ReadRequest();
    case Phase::kHandling:
      return ReadAhead();
    case Phase::kLingering:
      return Discard();
    case Phase::kClosed:
      return;
  }
}

void Connection::ReadRequest() {
  auto& scratch = host_->scratch;
  const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (n < 0 && WouldBlock(errno)) return WaitReadable();
  if (n <= 0) return Close();
  Consume({scratch.data(), static_cast<std::size_t>(n)});
}

void Connection::Consume(std::string_view data) {
  std::string joined;
  if (phase_ == Phase::kIdle) {
    if (!pending_.empty()) data = joined = std::exchange(pending_, {}).append(data);
    // Line ends before a request are allowed (RFC 9112, 2.2).
    while (data.starts_with("\r\n")) data.remove_prefix(2);
    if (data.empty() || data == "\r") {
      pending_.assign(data);
      if (deadline_ == SteadyTime::max()) SetDeadline(host_->options.idle_timeout);
      return WaitReadable();
    }
    phase_ = Phase::kReading;
    awaited_ = RequestParser::State::kDone;
    parser_ =
        RequestParser::Create({host_->options.max_header.value, host_->options.max_body.value});
  }
  std::size_t taken = 0;
  if (pending_.empty()) {
    taken = parser_->Feed(data);
    pending_.assign(data.substr(taken));
  } else {
    pending_.append(data);
    taken = parser_->Feed(pending_);
    pending_.erase(0, taken);
  }
  switch (parser_->state()) {
    case RequestParser::State::kBody:
      if (!CountBody(taken)) {
        return Refuse({503, "too_many_bodies",
                       "the server is reading as many bytes of requests as it may; try again",
                       kBodiesRetry});
      }
      return AwaitMore();
    case RequestParser::State::kHeader:
      return AwaitMore();
    case RequestParser::State::kDone:
      return HandleRequest();
    case RequestParser::State::kFailed:
      return Refuse(HttpProblem(parser_->problem()));
  }
}

bool Connection::CountBody(std::size_t bytes) {
  const HttpServerOptions& options = host_->options;
  if (host_->body_bytes + bytes > std::max(options.max_bodies.value, options.max_body.value)) {
    return false;
  }
  body_bytes_ += bytes;
  host_->body_bytes += bytes;
  return true;
}

void Connection::DropParser() {
  parser_.reset();
  host_->body_bytes -= std::exchange(body_bytes_, 0);
}

void Connection::AwaitMore() {
  if (const auto state = parser_->state(); std::exchange(awaited_, state) != state) {
    const bool body = state == RequestParser::State::kBody;
    if (body && host_->body_gate && !host_->body_gate(parser_->head())) {
      shut_out_ = true;
      return HandleRequest();
    }
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // It does not fit when earlier answers fill the socket's buffer: a client that does not read.
    if (body && parser_->expects_continue() && TrySend(kContinue) != kContinue.size()) {
      return Close();
    }
    SetDeadline(body ? host_->options.body_timeout : host_->options.header_timeout);
  }
  WaitReadable();
}

void Connection::HandleRequest() {
  if (awaited_ != RequestParser::State::kDone) DropTimer();
  deadline_ = SteadyTime::max();
  phase_ = Phase::kHandling;
  ServerRequest request = parser_->Take();
  request.peer = peer_;
  exchange_ = std::make_unique<Exchange>(
      *this, Exchange::Facts{.head_only = request.method == "HEAD",
                             .http10 = parser_->http10(),
                             .keep_alive = parser_->keep_alive() && !shut_out_});
  request.client_gone = exchange_->client_gone().token();
  DropParser();
  WaitReadable();
  const auto self = shared_from_this();
  try {
    boost::asio::co_spawn(socket_.get_executor(), host_->handler(std::move(request), *exchange_),
                          [self](std::exception_ptr error) { self->OnHandlerDone(error); });
  } catch (...) {
    OnHandlerDone(std::current_exception());
  }
  // A handler that takes its time has no use for the idle timer.
  if (phase_ == Phase::kHandling && deadline_ == SteadyTime::max()) DropTimer();
}

// While the handler runs: notices that the client leaves, and keeps what it sends ahead. Once
// `pending_` is full nothing is read until the handler is done.
void Connection::ReadAhead() {
  auto& scratch = host_->scratch;
  const std::size_t room = scratch.size() - std::min(scratch.size(), pending_.size());
  if (room == 0) return;
  const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), room, MSG_DONTWAIT);
  if (n == 0) return OnEndOfInput();
  if (n < 0 && !WouldBlock(errno)) return Gone(Cancelled("the connection to the client broke"));
  if (n > 0) pending_.append(scratch.data(), static_cast<std::size_t>(n));
  if (pending_.size() < scratch.size()) WaitReadable();
}

void Connection::OnEndOfInput() {
  const PeerEnd end = AskPeerEnd(socket_.native_handle());
  if (end == PeerEnd::kGone) return Gone(Cancelled("the client closed the connection"));
  input_ended_ = true;
  // Its leaving later, or from another machine, is seen when an answer is written to it or a probe
  // comes back; readable the socket is from now on always.
  ProbePeer(socket_.native_handle());
  socket_.async_wait(socket_.wait_error, [self = shared_from_this()](const error_code& error) {
    if (error || self->phase_ != Phase::kHandling) return;
    self->Gone(Cancelled("the connection to the client broke"));
  });
}

void Connection::OnHandlerDone(const std::exception_ptr& error) {
  const bool answered = exchange_->complete();
  const bool started = exchange_->started();
  const bool keep_alive = exchange_->keep_alive() && gone_.ok() && !host_->draining;
  exchange_.reset();
  if (error) {
    log::Error("http handler threw", {{"what", What(error)}});
  } else if (!answered && gone_.ok()) {
    // A stream is cut on purpose where its client reads too slowly: nobody has to act.
    if (started) {
      log::Debug("an answer was cut", {{"peer", peer_}});
    } else {
      log::Error("http handler ended without a complete answer");
    }
  }
  if (answered && keep_alive) return NextRequest();
  if (started) return pending_.empty() && !shut_out_ ? Close() : Linger();
  if (!gone_.ok() && host_->draining) {
    return Refuse({503, "stopping", "the server is stopping; try again later"});
  }
  Refuse({500, "internal_error", "the request could not be handled"});
}

void Connection::NextRequest() {
  phase_ = Phase::kIdle;
  if (pending_.empty()) {
    pending_.shrink_to_fit();
    SetDeadline(host_->options.idle_timeout);
    return WaitReadable();
  }
  // From the loop, not from here: many small pipelined requests must not nest.
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kIdle) self->Consume(std::exchange(self->pending_, {}));
  });
}

void Connection::Refuse(const HttpProblem& problem) {
  TrySend(FormatProblem(problem, host_->Date()));
  Linger();
}

void Connection::Linger() {
  ::shutdown(socket_.native_handle(), SHUT_WR);
  DropParser();
  pending_ = {};
  if (host_->draining) return Close();
  phase_ = Phase::kLingering;
  ++host_->lingering;
  linger_bytes_ = host_->options.max_body.value;
  SetDeadline(host_->options.header_timeout);
  WaitReadable();
}

void Connection::Discard() {
  auto& scratch = host_->scratch;
  const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (n < 0 && WouldBlock(errno)) return WaitReadable();
  if (n <= 0 || static_cast<std::uint64_t>(n) > linger_bytes_) return Close();
  linger_bytes_ -= static_cast<std::uint64_t>(n);
  WaitReadable();
}

void Connection::CloseIfIdle() {
  const bool between = phase_ == Phase::kIdle && pending_.empty();
  if (between || phase_ == Phase::kLingering) Close();
}

void Connection::Abort(const absl::Status& reason) {
  if (phase_ == Phase::kHandling) return Gone(reason);
  Close();
}

void Connection::Gone(absl::Status reason) {
  if (!gone_.ok()) return;
  const auto self = shared_from_this();
  gone_ = std::move(reason);
  error_code ignored;
  socket_.cancel(ignored);  // wakes SendAll
  exchange_->client_gone().Cancel(gone_);
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  if (phase_ == Phase::kLingering) --host_->lingering;
  phase_ = Phase::kClosed;
  DropTimer();
  DropParser();
  error_code ignored;
  socket_.close(ignored);
  host_->Forget(*this);
}

std::size_t Connection::TrySend(std::string_view data) {
  if (broken_) return 0;
  ssize_t n = 0;
  do {
    n = ::send(socket_.native_handle(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

Task<absl::Status> Connection::SendAll(std::string data) {
  std::size_t sent = 0;
  sending_ = true;
  while (sent < data.size() && gone_.ok()) {
    const ssize_t n = ::send(socket_.native_handle(), data.data() + sent, data.size() - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (n < 0 && WouldBlock(errno)) {
      SetDeadline(host_->options.write_timeout);
      co_await socket_.async_wait(socket_.wait_write,
                                  boost::asio::as_tuple(boost::asio::use_awaitable));
    } else {
      Gone(Cancelled("the connection to the client broke"));
    }
  }
  sending_ = false;
  DropTimer();
  if (sent == data.size()) co_return absl::OkStatus();
  broken_ = true;
  co_return gone_;
}

void Connection::FlushHeadSoon() {
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->exchange_ && !self->sending_) self->exchange_->FlushHead();
  });
}

void Connection::SetDeadline(std::chrono::milliseconds after) {
  deadline_ = Clock::now() + std::max(after, std::chrono::milliseconds(1));
  if (timer_.number != 0 && timer_.at <= deadline_) return;
  host_->loop.CancelTimer(timer_);
  timer_ = host_->loop.CallAt(deadline_, [this] { OnTimer(); });
}

void Connection::DropTimer() {
  deadline_ = SteadyTime::max();
  host_->loop.CancelTimer(std::exchange(timer_, {}));
}

void Connection::OnTimer() {
  timer_ = {};
  if (deadline_ == SteadyTime::max()) return;
  if (Clock::now() < deadline_) {
    timer_ = host_->loop.CallAt(deadline_, [this] { OnTimer(); });
    return;
  }
  deadline_ = SteadyTime::max();
  OnDeadline();
}

void Connection::OnDeadline() {
  if (phase_ == Phase::kReading) {
    const bool body = parser_->state() == RequestParser::State::kBody;
    const auto limit = body ? host_->options.body_timeout : host_->options.header_timeout;
    return Refuse({408, "request_timeout",
                   fmt::format("the request {} did not arrive within {} ms",
                               body ? "body" : "header", limit.count())});
  }
  if (phase_ == Phase::kHandling) {
    return Gone(Cancelled(
        fmt::format("the client took no bytes for {} ms", host_->options.write_timeout.count())));
  }
  Close();
}

}  // namespace talon::io
