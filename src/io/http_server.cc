// SPDX-License-Identifier: Apache-2.0
#include "io/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <chrono>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "io/descriptor_limit.h"
#include "io/http_connection.h"
#include "io/loop.h"

namespace talon::io {
namespace {

// How long accepting rests when the system is out of descriptors or memory, unless a connection of
// ours closes before.
constexpr std::chrono::milliseconds kAcceptRest{250};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// "127.0.0.1:8420", "[::1]:8420".
std::string Format(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return fmt::format("{}:{}", text, ntohs(v4.sin_port));
}

absl::StatusOr<Address> ParseAddress(const std::string& bind, std::uint16_t port) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  const std::string text = bind == "localhost" ? "127.0.0.1" : bind;
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length = sizeof(v4);
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length = sizeof(v6);
  } else {
    return InvalidArgument(fmt::format(
        "listen on '{}': not a numeric address; use 127.0.0.1, ::1, 0.0.0.0 or one of this machine",
        bind));
  }
  return address;
}

absl::Status ListenError(int error, const Address& address) {
  const std::string where = Format(address);
  if (error == EADDRINUSE) {
    const std::string text = fmt::format(
        "port {} is in use: stop the program that listens there, or choose another port", where);
    return absl::AlreadyExistsError(text);
  }
  if (error == EADDRNOTAVAIL) {
    return InvalidArgument(fmt::format("listen on {}: this machine has no such address", where));
  }
  return ErrnoToStatus(error, fmt::format("listen on {}", where));
}

// The state behind HttpServer: shared with the connections, whose handlers may end after it.
class Listener final : public ConnectionHost, public std::enable_shared_from_this<Listener> {
 public:
  Listener(Loop& loop_in, HttpServerOptions options_in, HttpHandler handler_in,
           BodyGate body_gate_in)
      : ConnectionHost(loop_in, std::move(options_in), std::move(handler_in),
                       std::move(body_gate_in)),
        socket_(loop_in.context()) {}
  ~Listener() override { loop.CancelTimer(rest_timer_); }

  absl::Status Open() {
    TALON_ASSIGN_OR_RETURN(Address address, ParseAddress(options.bind, options.port));
    const int fd =
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return ListenError(errno, address);
    boost::system::error_code error;
    if (socket_.assign(fd, error); error) {
      ::close(fd);
      return ListenError(error.value(), address);
    }
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // Inherited by what is accepted.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (::bind(fd, address.get(), address.length) != 0 || ::listen(fd, SOMAXCONN) != 0) {
      return ListenError(errno, address);
    }
    Address bound;
    if (::getsockname(fd, bound.get(), &bound.length) != 0) return ListenError(errno, address);
    port_ = ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
    FitDescriptors();
    WaitAcceptable();
    return absl::OkStatus();
  }

  std::uint16_t port() const { return port_; }
  std::size_t open_connections() const { return connections_.size(); }

  void Forget(Connection& connection) override {
    connections_.erase(connection.shared_from_this());
    if (resting_) EndRest();
    if (!connections_.empty()) return;
    for (const auto& waiter : std::exchange(waiters_, {})) waiter->Set(true);
  }

  Task<void> Drain(SteadyTime deadline) {
    const auto self = shared_from_this();
    draining = true;
    CloseListener();
    for (const auto& connection : std::vector(connections_.begin(), connections_.end())) {
      connection->CloseIfIdle();
    }
    if (connections_.empty()) co_return;
    auto closed = std::make_shared<OneShot<bool>>();
    waiters_.push_back(closed);
    const TimerId timer = loop.CallAt(deadline, [self] { self->AbortAll(); });
    co_await closed->Wait();
    loop.CancelTimer(timer);
  }

  void Update(const HttpServerOptions& changed) {
    options = changed;
    FitDescriptors();
  }

  // Lets go of the connections too: a handler that dies with the loop never has them forgotten.
  void Abandon() {
    AbortAll();
    connections_.clear();
  }

  void AbortAll() {
    draining = true;
    CloseListener();
    const absl::Status reason = Cancelled("the server is stopping");
    for (const auto& connection : std::vector(connections_.begin(), connections_.end())) {
      connection->Abort(reason);
    }
  }

 private:
  // An eighth more may be told why they are not served.
  static std::size_t WithTold(std::size_t most) { return most + most / 8 + 1; }

  // No connection may take a descriptor that the rest of the daemon needs.
  void FitDescriptors() {
    most_ = options.max_connections;
    const rlim_t room = DescriptorsForConnections();
    if (WithTold(most_) <= room) return;
    most_ = std::max<rlim_t>(room * 8 / 9, 2) - 1;
    log::Warn("fewer connections than configured: the process may not open so many files",
              {{"max_connections", options.max_connections},
               {"connections", most_},
               {"kept_for_own_work", kOwnDescriptors},
               {"cure", "a higher limit of open files (LimitNOFILE, ulimit -n)"}});
  }

  void WaitAcceptable() {
    socket_.async_wait(socket_.wait_read, [weak = weak_from_this()](const auto& error) {
      if (const auto self = weak.lock(); self && !error) self->Accept();
    });
  }

  void Accept() {
    constexpr int kAtOnce = 64;  // then others on the loop have their turn
    for (int i = 0; i < kAtOnce && socket_.is_open(); ++i) {
      Address peer;
      const int fd = ::accept4(socket_.native_handle(), peer.get(), &peer.length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        Welcome(fd, peer);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR && errno != ECONNABORTED) {
        return Rest(errno);
      }
    }
    if (socket_.is_open()) WaitAcceptable();
  }

  void Welcome(int fd, const Address& peer) {
    accept_failed_ = false;
    const std::size_t most = most_;
    const std::size_t open = connections_.size() - lingering;
    if (connections_.size() >= WithTold(most)) {
      ::close(fd);
      return;
    }
    auto connection = std::make_shared<Connection>(shared_from_this(), Format(peer));
    if (const absl::Status adopted = connection->Adopt(fd); !adopted.ok()) {
      log::Warn("connection dropped", {{"reason", StatusText(adopted)}});
      return;
    }
    connections_.insert(connection);
    if (open < most) return connection->Start();
    connection->Refuse({503, "too_many_connections",
                        fmt::format("the server has {} open connections, its limit", most)});
  }

  void Rest(int error) {
    if (!std::exchange(accept_failed_, true)) {
      log::Warn("accepting connections rests",
                {{"reason", StatusText(ErrnoToStatus(error, "accept"))},
                 {"open_connections", connections_.size()}});
    }
    resting_ = true;
    rest_timer_ =
        loop.CallAt(std::chrono::steady_clock::now() + kAcceptRest, [this] { EndRest(); });
  }
  void EndRest() {
    resting_ = false;
    loop.CancelTimer(std::exchange(rest_timer_, {}));
    if (socket_.is_open()) WaitAcceptable();
  }

  void CloseListener() {
    resting_ = false;
    loop.CancelTimer(std::exchange(rest_timer_, {}));
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  boost::asio::posix::stream_descriptor socket_;
  std::uint16_t port_ = 0;
  std::size_t most_ = 0;  // connections that are served
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<OneShot<bool>>> waiters_;  // of Drain
  TimerId rest_timer_;
  bool resting_ = false;
  bool accept_failed_ = false;  // logged, and none accepted since
};

class AsioHttpServer final : public HttpServer {
 public:
  explicit AsioHttpServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~AsioHttpServer() override { listener_->Abandon(); }

  std::uint16_t port() const override { return listener_->port(); }
  std::size_t open_connections() const override { return listener_->open_connections(); }
  Task<void> Drain(SteadyTime deadline) override { return listener_->Drain(deadline); }
  void Update(const HttpServerOptions& options) override { listener_->Update(options); }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> MakeHttpServer(Loop& loop, HttpServerOptions options,
                                                           HttpHandler handler,
                                                           BodyGate body_gate) {
  auto listener = std::make_shared<Listener>(loop, std::move(options), std::move(handler),
                                             std::move(body_gate));
  TALON_RETURN_IF_ERROR(listener->Open());
  return std::make_unique<AsioHttpServer>(std::move(listener));
}

}  // namespace talon::io
