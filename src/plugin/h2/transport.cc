// SPDX-License-Identifier: Apache-2.0
// PluginTransport over nghttp2 on the event loop: one Unix socket, one pending read, a pending
// write only while the peer does not keep up, a timer only per call with a deadline.
#include "plugin/transport.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "plugin/h2/session.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

using boost::asio::local::stream_protocol;

constexpr std::size_t kReadBuffer = 32 << 10;
constexpr std::size_t kWriteBuffer = 64 << 10;  // produced ahead of a slow peer, at most

absl::Status Ended(std::string_view cause) {
  return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kPluginCrashed, cause);
}

// The connection. Shared by the transport, its calls and the socket operations under way.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(io::Loop& loop, int fd, const TransportLimits& limits)
      : loop_(loop), socket_(loop.context(), stream_protocol(), fd), session_(limits) {
    socket_.non_blocking(true);
  }

  void Start() {
    Flush();
    Read();
  }

  // Ends when the peer's SETTINGS have come.
  static io::Task<absl::Status> Ready(std::shared_ptr<Link> self, CallContext context) {
    if (!self->end_.ok()) co_return self->end_;
    if (self->session_.ready()) co_return absl::OkStatus();
    const auto done = std::make_shared<io::OneShot<absl::Status>>();
    self->ready_ = done;
    const auto timer = self->loop_.CallAt(context.deadline, [done] {
      done->Set(DeadlineExceeded("the plugin did not start HTTP/2 in time"));
    });
    const auto registration =
        context.cancel.OnCancel([done, token = context.cancel] { done->Set(token.status()); });
    const absl::Status status = co_await done->Wait();
    self->loop_.CancelTimer(timer);
    co_return status;
  }

  static io::Task<absl::StatusOr<std::string>> Call(std::shared_ptr<Link> self, std::string method,
                                                    std::string request, CallContext context) {
    if (context.cancel.cancelled()) co_return context.cancel.status();
    if (!self->end_.ok()) co_return self->end_;
    const auto now = std::chrono::steady_clock::now();
    if (context.deadline <= now) co_return DeadlineExceeded("the deadline had passed");
    const bool bounded = context.deadline != SteadyTime::max();
    const auto done = std::make_shared<io::OneShot<absl::StatusOr<std::string>>>();
    TALON_CO_ASSIGN_OR_RETURN(
        const std::int32_t id,
        self->session_.Submit(
            method, std::move(request),
            bounded ? h2::EncodeTimeout(context.deadline - now) : std::string(),
            [done](absl::StatusOr<std::string> result) { done->Set(std::move(result)); }));
    io::TimerId timer;
    if (bounded) {
      timer = self->loop_.CallAt(context.deadline, [self, id, done] {
        self->Cancel(id);
        done->Set(DeadlineExceeded("the plugin did not answer in time"));
      });
    }
    const auto registration = context.cancel.OnCancel([self, id, done, token = context.cancel] {
      self->Cancel(id);
      done->Set(token.status());
    });
    self->Flush();
    auto result = co_await done->Wait();
    if (bounded) self->loop_.CancelTimer(timer);
    co_return result;
  }

  void Close(absl::Status reason) {
    if (!end_.ok()) return;
    end_ = std::move(reason);
    boost::system::error_code ignored;
    socket_.close(ignored);
    // The owner hears of the end before the callers do: a call that is tried again finds it known.
    if (on_closed_) loop_.Post(std::exchange(on_closed_, nullptr));
    session_.Fail(end_);
    if (ready_ != nullptr) ready_->Set(end_);
  }

  void OnClosed(absl::AnyInvocable<void()> callback) {
    if (!end_.ok()) return loop_.Post(std::move(callback));
    on_closed_ = std::move(callback);
  }
  void ForgetOnClosed() { on_closed_ = nullptr; }

  bool alive() const { return end_.ok() && !session_.draining(); }
  std::size_t calls() const { return session_.calls(); }

 private:
  void Cancel(std::int32_t id) {
    session_.Cancel(id);
    Flush();
  }

  void Read() {
    socket_.async_receive(
        boost::asio::buffer(input_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
          self->Received(error, count);
        });
  }

  void Received(const boost::system::error_code& error, std::size_t count) {
    if (!end_.ok()) return;
    if (error) {
      const bool silent = error == boost::asio::error::eof;
      return Close(Ended(silent ? "the plugin closed the connection"
                                : fmt::format("the connection broke: {}", error.message())));
    }
    session_.Receive({input_.data(), count});
    if (session_.ready() && ready_ != nullptr) {
      std::exchange(ready_, nullptr)->Set(absl::OkStatus());
    }
    Flush();
    if (end_.ok()) Read();
  }

  // Writes what there is; waits for the socket only when it is full.
  void Flush() {
    while (end_.ok() && !waiting_to_write_) {
      session_.Produce(output_, kWriteBuffer);
      if (output_.empty()) break;
      const ssize_t count =
          ::send(socket_.native_handle(), output_.data(), output_.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        output_.erase(0, static_cast<std::size_t>(count));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        waiting_to_write_ = true;
        socket_.async_wait(stream_protocol::socket::wait_write,
                           [self = shared_from_this()](const boost::system::error_code&) {
                             self->waiting_to_write_ = false;
                             self->Flush();
                           });
      } else if (errno != EINTR) {
        Close(Ended(fmt::format("the connection broke: {}", ::strerror(errno))));
      }
    }
    if (absl::Status end = session_.end(); end_.ok() && !end.ok()) Close(std::move(end));
  }

  io::Loop& loop_;
  stream_protocol::socket socket_;
  h2::Session session_;
  std::array<char, kReadBuffer> input_;
  std::string output_;
  bool waiting_to_write_ = false;
  std::shared_ptr<io::OneShot<absl::Status>> ready_;
  absl::Status end_;  // not OK once closed
  absl::AnyInvocable<void()> on_closed_;
};

class H2Transport : public PluginTransport {
 public:
  explicit H2Transport(std::shared_ptr<Link> link) : link_(std::move(link)) {}
  ~H2Transport() override {
    link_->ForgetOnClosed();
    link_->Close(Ended("the connection was closed"));
  }
  io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                             CallContext context) override {
    return Link::Call(link_, std::string(method), std::move(request), std::move(context));
  }
  bool alive() const override { return link_->alive(); }
  std::size_t calls_in_flight() const override { return link_->calls(); }
  void OnClosed(absl::AnyInvocable<void()> callback) override {
    link_->OnClosed(std::move(callback));
  }

 private:
  std::shared_ptr<Link> link_;  // shared with the operations that end after us
};

// A connected socket, checked for its peer.
absl::StatusOr<int> OpenSocket(const std::string& path, pid_t peer_pid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument(
        fmt::format("connect to plugin socket '{}': its path must have 1 to {} "
                    "bytes",
                    h2::CleanText(path, 200), sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const std::string attempt = fmt::format("connect to plugin socket '{}'", path);
  if (fd < 0) return ErrnoToStatus(errno, attempt);
  ucred peer{};
  socklen_t size = sizeof(peer);
  absl::Status status;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    status = ErrnoToStatus(errno, attempt);
  } else if (peer_pid != 0 && peer.pid != peer_pid) {
    status = PermissionDenied(
        fmt::format("{}: process {} listens there, not the plugin (process {}); a wrapper script "
                    "must exec the program",
                    attempt, peer.pid, peer_pid));
  }
  if (status.ok()) return fd;
  ::close(fd);
  return status;
}

// Takes `fd`. Asio throws when the kernel cannot watch one more descriptor.
absl::StatusOr<std::shared_ptr<Link>> MakeLink(io::Loop& loop, int fd,
                                               const TransportLimits& limits) {
  try {
    auto link = std::make_shared<Link>(loop, fd, limits);
    link->Start();
    return link;
  } catch (const std::exception& error) {
    ::close(fd);
    return Internal(fmt::format("watch a plugin's socket: {}", error.what()));
  }
}

}  // namespace

io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> ConnectUnix(io::Loop& loop,
                                                                       std::string socket_path,
                                                                       TransportLimits limits,
                                                                       CallContext context,
                                                                       pid_t peer_pid) {
  TALON_CO_ASSIGN_OR_RETURN(const int fd, OpenSocket(socket_path, peer_pid));
  TALON_CO_ASSIGN_OR_RETURN(const auto link, MakeLink(loop, fd, limits));
  absl::Status status = co_await Link::Ready(link, std::move(context));
  if (!status.ok()) {
    link->Close(status);
    co_return Annotate(status, fmt::format("connect to plugin socket '{}'", socket_path));
  }
  co_return std::make_unique<H2Transport>(link);
}

}  // namespace talon::plugin
