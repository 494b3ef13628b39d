// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/socket.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include "base/status.h"
#include "io/one_shot.h"

namespace talon::plugin::h2 {
namespace {

using boost::asio::ip::tcp;

absl::Status SystemError(int error) {
  return {ErrnoToStatus(error, "").code(), ::strerror(error)};
}

absl::Status ConnectUnixSocket(int fd, const Endpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = endpoint.address;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument(
        fmt::format("its path must have 1 to {} bytes", sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return SystemError(errno);
  }
  if (endpoint.peer_pid != 0 && peer.pid != endpoint.peer_pid) {
    return PermissionDenied(
        fmt::format("process {} listens there, not the plugin (process {}); a wrapper script must "
                    "exec the program",
                    peer.pid, endpoint.peer_pid));
  }
  return absl::OkStatus();
}

absl::StatusOr<tcp::endpoint> ParseTcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  std::uint16_t port = 0;
  if (colon != std::string::npos && !error) {
    const char* end = address.data() + address.size();
    const auto parsed = std::from_chars(address.data() + colon + 1, end, port);
    if (parsed.ec == std::errc() && parsed.ptr == end && port != 0) return tcp::endpoint(ip, port);
  }
  return InvalidArgument("it must be a numeric address and a port");
}

io::Task<absl::Status> ConnectTcpSocket(io::Loop& loop, tcp::socket& socket, tcp::endpoint to,
                                        CallContext context) {
  if (context.cancel.cancelled()) co_return context.cancel.status();
  // Shared with the operation, which a deadline leaves behind.
  const auto done = std::make_shared<io::OneShot<absl::Status>>();
  const auto timer = loop.CallAt(
      context.deadline, [done] { done->Set(DeadlineExceeded("nothing answered in time")); });
  const auto registration =
      context.cancel.OnCancel([done, token = context.cancel] { done->Set(token.status()); });
  socket.async_connect(to, [done](const boost::system::error_code& error) {
    done->Set(error ? SystemError(error.value()) : absl::OkStatus());
  });
  const absl::Status status = co_await done->Wait();
  loop.CancelTimer(timer);
  co_return status;
}

}  // namespace

io::Task<absl::StatusOr<int>> OpenSocket(io::Loop& loop, const Endpoint& endpoint,
                                         CallContext context) {
  if (endpoint.network == Endpoint::Network::kTcp) {
    TALON_CO_ASSIGN_OR_RETURN(const tcp::endpoint to, ParseTcp(endpoint.address));
    const int raw = ::socket(to.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw < 0) co_return SystemError(errno);
    tcp::socket socket(loop.context(), to.protocol(), raw);
    TALON_CO_RETURN_IF_ERROR(co_await ConnectTcpSocket(loop, socket, to, std::move(context)));
    boost::system::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    socket.non_blocking(true, error);
    const int fd = socket.release(error);
    if (error) co_return SystemError(error.value());
    co_return fd;
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return SystemError(errno);
  const absl::Status status = ConnectUnixSocket(fd, endpoint);
  if (status.ok()) co_return fd;
  ::close(fd);
  co_return status;
}

}  // namespace talon::plugin::h2
