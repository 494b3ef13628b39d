// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/io/fake_http_server.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/check.h"

namespace talon::io {

std::string FakeHttpServer::Connection::ReadRequest() {
  std::array<char, 16384> buffer;
  while (true) {
    const std::size_t head = pending_.find("\r\n\r\n");
    if (head != std::string::npos) {
      const std::size_t length = pending_.find("Content-Length: ");
      const std::size_t body =
          length < head ? std::strtoul(pending_.c_str() + length + 16, nullptr, 10) : 0;
      if (pending_.size() >= head + 4 + body) {
        std::string request = pending_.substr(0, head + 4 + body);
        pending_.erase(0, request.size());
        return request;
      }
    }
    const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return "";
    pending_.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

bool FakeHttpServer::Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool FakeHttpServer::Connection::SendWatched(std::string_view bytes, int stall_ms,
                                             const std::function<void()>& on_stall) {
  while (!bytes.empty()) {
    pollfd poll{fd_, POLLOUT, 0};
    if (!stalled_ && ::poll(&poll, 1, stall_ms) == 0) {
      stalled_ = true;
      on_stall();
    }
    const ssize_t size =
        ::send(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), 16384), MSG_NOSIGNAL);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

void FakeHttpServer::Connection::WaitForClose() {
  std::array<char, 256> buffer;
  while (::recv(fd_, buffer.data(), buffer.size(), 0) > 0) {
  }
}

FakeHttpServer::FakeHttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  TALON_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  TALON_CHECK(::listen(listener_, 128) == 0);
  TALON_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

FakeHttpServer::~FakeHttpServer() {
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  for (auto& [fd, thread] : open_) {
    ::shutdown(fd, SHUT_RDWR);
    thread.join();
    ::close(fd);
  }
}

void FakeHttpServer::Accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int number = ++connections_;
    const std::lock_guard lock(mutex_);
    open_.emplace_back(fd, std::thread([this, fd, number] {
                         Connection connection(fd, number);
                         handler_(connection);
                         ::shutdown(fd, SHUT_RDWR);
                       }));
  }
}

std::string FakeHttpServer::Url(std::string_view path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::string OkAnswer(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

}  // namespace talon::io
