// SPDX-License-Identifier: Apache-2.0
// A small HTTP server on a free port of 127.0.0.1. `answer` maps a whole request (head and body) to
// a whole response; an empty one leaves the connection open until the server ends.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace talon::test {

class FakeHttpServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit FakeHttpServer(Answer answer);
  ~FakeHttpServer();

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Url(const std::string& path) const { return "http://" + host() + path; }
  int port() const { return port_; }

  static std::string Ok(const std::string& type, const std::string& body);
  static std::string Redirect(int status, const std::string& location);

 private:
  void Accept();
  void Serve(int fd);

  const Answer answer_;
  int listener_ = -1;
  int stop_fd_ = -1;
  int port_ = 0;
  std::vector<int> open_;  // left open on purpose; used by thread_ only
  std::thread thread_;
};

}  // namespace talon::test
