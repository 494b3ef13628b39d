// SPDX-License-Identifier: Apache-2.0
// A raw TCP client on a blocking socket, for tests that send exact bytes. A read that gets nothing
// for 10 s gives up.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace talon::io {

class ClientSocket {
 public:
  ClientSocket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  explicit ClientSocket(std::uint16_t port) : ClientSocket() { Connect(port); }
  ~ClientSocket() { Close(); }
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  bool Connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  // Small windows, so that a peer's writes stall soon. Before Connect().
  void ShrinkReceiveBuffer() {
    const int bytes = 4096;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }
  // False when the server closed before it took all.
  bool Send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // The first of two that the server says something to.
  static ClientSocket& FirstSpokenTo(ClientSocket& a, ClientSocket& b) {
    pollfd both[] = {{.fd = a.fd_, .events = POLLIN, .revents = 0},
                     {.fd = b.fd_, .events = POLLIN, .revents = 0}};
    ::poll(both, 2, 10'000);
    return both[0].revents != 0 ? a : b;
  }

  // Everything up to and with `end`; what there is when the server closes first.
  std::string ReadUntil(std::string_view end) {
    std::size_t at = 0;
    while ((at = buffer_.find(end)) == std::string::npos && Receive()) {
    }
    return Take(at == std::string::npos ? buffer_.size() : at + end.size());
  }
  std::string ReadToEnd() {
    while (Receive()) {
    }
    return Take(buffer_.size());
  }
  // One answer with Content-Length (none: no body), header and body.
  std::string ReadAnswer(bool head_only = false) {
    std::string head = ReadUntil("\r\n\r\n");
    const std::size_t at = head.find("Content-Length: ");
    if (head_only || at == std::string::npos) return head;
    const auto length = static_cast<std::size_t>(std::atoll(head.c_str() + at + 16));
    while (buffer_.size() < length && Receive()) {
    }
    return head + Take(std::min(length, buffer_.size()));
  }
  // True when the server closes without another byte.
  bool ServerClosed() { return buffer_.empty() && !Receive() && !timed_out_; }

 private:
  bool Receive() {
    char piece[16 << 10];
    const ssize_t n = ::recv(fd_, piece, sizeof(piece), 0);
    timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n <= 0) return false;
    buffer_.append(piece, static_cast<std::size_t>(n));
    return true;
  }
  std::string Take(std::size_t bytes) {
    std::string taken = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return taken;
  }

  int fd_;
  bool timed_out_ = false;
  std::string buffer_;
};

}  // namespace talon::io
