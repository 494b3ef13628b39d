// SPDX-License-Identifier: Apache-2.0
// A tiny HTTP/1.1 server on blocking sockets: one thread a connection, which runs the test's
// handler. It sends exactly the bytes the handler gives it, so it can also misbehave.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace talon::io {

class FakeHttpServer {
 public:
  class Connection {
   public:
    Connection(int fd, int number) : number(number), fd_(fd) {}
    // The next request, head and body ("" = the client closed). Content-Length bodies only.
    std::string ReadRequest();
    // False when the client is gone.
    bool Send(std::string_view bytes);
    // Like Send, calls `on_stall` once when the client takes nothing for `stall_ms`.
    bool SendWatched(std::string_view bytes, int stall_ms, const std::function<void()>& on_stall);
    void WaitForClose();
    const int number;  // 1 for the first connection

   private:
    int fd_;
    std::string pending_;
    bool stalled_ = false;
  };
  using Handler = std::function<void(Connection&)>;

  explicit FakeHttpServer(Handler handler);
  ~FakeHttpServer();
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  std::string Url(std::string_view path) const;
  int connections() const { return connections_; }

 private:
  void Accept();

  const Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::list<std::pair<int, std::thread>> open_;  // guarded by mutex_
  std::thread accepting_;
};

// "HTTP/1.1 200 OK" with Content-Length and `body`.
std::string OkAnswer(std::string_view body);

}  // namespace talon::io
