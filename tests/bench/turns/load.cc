// SPDX-License-Identifier: Apache-2.0
#include "load.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

#include "process_stat.h"
#include "response.h"

namespace talon::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Target {
  std::string host, port = "80", path;
  sockaddr_storage address{};
  socklen_t length = 0;
};

Target ParseUrl(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) throw std::runtime_error("--url must begin with http://");
  const std::string rest = url.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  Target target;
  target.host = rest.substr(0, slash);
  target.path = rest.substr(slash);
  while (target.path.ends_with('/')) target.path.pop_back();
  if (!target.path.ends_with("/chat/completions")) {
    target.path += target.path.ends_with("/v1") ? "/chat/completions" : "/v1/chat/completions";
  }
  std::string name = target.host;
  if (const std::size_t colon = name.rfind(':'); colon != std::string::npos) {
    target.port = name.substr(colon + 1);
    name.resize(colon);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), target.port.c_str(), &hints, &found) != 0) {
    throw std::runtime_error(fmt::format("no such host: {}", name));
  }
  target.length = found->ai_addrlen;
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return target;
}

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

struct Connection {
  int fd = -1;
  int session = 0;  // the one under way
  int turn = 0;     // within it
  std::string request;
  std::size_t sent = 0;
  bool wants_write = false;
  bool waits = false;  // for the end of the warm-up
  bool done = false;
  Clock::time_point started;
  Response response;
};

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options), target_(ParseUrl(options.url)) {
    const int count = options.connections > 0 ? std::min(options.connections, options.sessions)
                                              : options.sessions;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(static_cast<std::size_t>(count));
    warm_up_left_ = options.warmup > 0 ? count : 0;
    result_.latencies_us.reserve(static_cast<std::size_t>(options.sessions) *
                                 static_cast<std::size_t>(options.turns));
  }
  ~Load() {
    for (const Connection& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    ::close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadResult Run() {
    active_ = static_cast<int>(connections_.size());
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].session = static_cast<int>(i);
      if (!Connect(connections_[i])) {
        throw std::runtime_error(fmt::format("connect to {}: {}", options_.url, strerror(errno)));
      }
    }
    if (warm_up_left_ == 0) StartMeasuring();
    for (Connection& connection : connections_) NextTurn(connection);
    while (active_ > 0) Wait();
    result_.seconds = Seconds(Clock::now() - began_);
    result_.own_cpu_s = OwnCpuSeconds() - own_before_;
    for (std::size_t i = 0; i < options_.watch.size(); ++i) {
      const pid_t pid = options_.watch[i];
      result_.watched.push_back({pid, CpuSecondsOf(pid) - watched_before_[i], RssKilobytesOf(pid)});
    }
    return std::move(result_);
  }

 private:
  static double Seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
  }

  bool Connect(Connection& connection) {
    connection.fd = ::socket(target_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&target_.address),
                  target_.length) != 0) {
      return false;
    }
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    connection.wants_write = false;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) == 0;
  }

  void StartMeasuring() {
    for (const pid_t pid : options_.watch) watched_before_.push_back(CpuSecondsOf(pid));
    own_before_ = OwnCpuSeconds();
    began_ = Clock::now();
  }

  bool Measured(const Connection& connection) const { return connection.turn > options_.warmup; }

  // With several sessions on a connection only the first waits for the others: its warm-up opens
  // connection and daemon; the later sessions' warm-up turns are left out of the figures only.
  void NextTurn(Connection& connection) {
    if (connection.turn == options_.warmup + options_.turns) {
      connection.turn = 0;
      connection.session += static_cast<int>(connections_.size());
    }
    if (connection.session >= options_.sessions) return Finish(connection);
    if (warm_up_left_ > 0 && connection.turn == options_.warmup) {
      connection.waits = true;
      if (--warm_up_left_ == 0) Release();
      return;
    }
    ++connection.turn;
    const std::string session = fmt::format("{}-{}", options_.prefix, connection.session);
    const std::string body = fmt::format(
        R"({{"model":{},"stream":{},"user":{},"messages":[{{"role":"user","content":{}}}]}})",
        JsonText(options_.model), options_.stream, JsonText(session), JsonText(options_.message));
    connection.request = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: "
        "application/json\r\nX-Talon-Session: {}\r\nContent-Length: {}\r\n\r\n{}",
        target_.path, target_.host, options_.token, session, body.size(), body);
    connection.sent = 0;
    connection.response.Reset();
    connection.started = Clock::now();
    Send(connection);
  }

  void Release() {
    StartMeasuring();
    for (Connection& connection : connections_) {
      if (std::exchange(connection.waits, false)) NextTurn(connection);
    }
  }

  void Finish(Connection& connection) {
    connection.done = true;
    --active_;
    if (connection.fd >= 0) ::close(std::exchange(connection.fd, -1));
  }

  void Send(Connection& connection) {
    while (connection.sent < connection.request.size()) {
      const ssize_t n =
          ::send(connection.fd, connection.request.data() + connection.sent,
                 connection.request.size() - connection.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return Fail(connection, "the connection broke while sending");
      connection.sent += static_cast<std::size_t>(n);
    }
    const bool more = connection.sent < connection.request.size();
    if (more == connection.wants_write) return;
    connection.wants_write = more;
    epoll_event event{.events = EPOLLIN | (more ? EPOLLOUT : 0U), .data = {.ptr = &connection}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  void Receive(Connection& connection) {
    while (true) {
      const ssize_t n = ::recv(connection.fd, scratch_.data(), scratch_.size(), MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0 && connection.waits) return Reopen(connection);
      if (n <= 0) {
        connection.response.End();
        if (!connection.response.complete()) {
          return Fail(connection, "the connection ended before the answer");
        }
        return Complete(connection, false);
      }
      const std::string_view data(scratch_.data(), static_cast<std::size_t>(n));
      if (connection.waits) return Fail(connection, "bytes came unasked");
      if (!connection.response.Feed(data)) return Fail(connection, "no HTTP response");
      if (connection.response.complete()) {
        return Complete(connection, connection.response.keep_alive());
      }
      if (data.size() < scratch_.size()) return;
    }
  }

  void Complete(Connection& connection, bool reuse) {
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - connection.started);
    const std::string_view fault = FaultOf(connection.response, options_.stream, options_.expect);
    if (!fault.empty()) {
      Count(fmt::format("{} ({}): {:.200}", fault, connection.response.status(),
                        connection.response.body()));
    } else if (Measured(connection)) {
      result_.latencies_us.push_back(static_cast<std::uint32_t>(took.count()));
    }
    if (!reuse) Reopen(connection);
    if (!connection.done) NextTurn(connection);
  }

  void Count(const std::string& what) {
    constexpr int kMostErrors = 1000;
    constexpr std::size_t kMostTexts = 20;
    if (++error_count_ > kMostErrors) {
      throw std::runtime_error(fmt::format("more than {} errors; the last: {}", kMostErrors, what));
    }
    const bool known = result_.errors.contains(what) || result_.errors.size() < kMostTexts;
    ++result_.errors[known ? what : "others"];
  }

  void Reopen(Connection& connection) {
    ::close(std::exchange(connection.fd, -1));
    if (Connect(connection)) return;
    Count(fmt::format("connecting again: {}", strerror(errno)));
    Abandon(connection);
  }

  void Abandon(Connection& connection) {
    const bool in_warm_up = warm_up_left_ > 0 && !std::exchange(connection.waits, false);
    Finish(connection);
    if (in_warm_up && --warm_up_left_ == 0) Release();
  }

  void Fail(Connection& connection, const std::string& what) {
    Count(what);
    Reopen(connection);
    if (!connection.done) NextTurn(connection);
  }

  void Wait() {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
      if (connection.done) continue;
      if ((what & EPOLLOUT) != 0) Send(connection);
      if ((what & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !connection.done) {
        Receive(connection);
      }
    }
    const auto now = Clock::now();
    if (now - looked_ < std::chrono::seconds(1)) return;
    looked_ = now;
    for (Connection& connection : connections_) {
      const bool late = now - connection.started > std::chrono::seconds(options_.timeout_s);
      if (!connection.done && !connection.waits && late) Fail(connection, "timed out");
    }
  }

  const LoadOptions options_;
  const Target target_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  int active_ = 0;
  int error_count_ = 0;
  int warm_up_left_ = 0;  // connections that have not finished their warm-up
  Clock::time_point began_ = Clock::now(), looked_ = Clock::now();
  double own_before_ = 0;
  std::vector<double> watched_before_;
  std::array<char, 64 << 10> scratch_;
  LoadResult result_;
};

}  // namespace

LoadResult Run(const LoadOptions& options) {
  return std::make_unique<Load>(options)->Run();
}

}  // namespace talon::bench
