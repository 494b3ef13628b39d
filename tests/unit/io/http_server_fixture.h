// SPDX-License-Identifier: Apache-2.0
// A server on its own loop and thread; the test's thread plays the clients.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/status.h"
#include "http_client_socket.h"
#include "io/http_server.h"
#include "io/loop.h"

namespace talon::io {

class ServerFixture : public testing::Test {
 protected:
  ServerFixture() : thread_([this] { loop_.Run(); }) {}
  ~ServerFixture() override {
    if (server_) Drain(std::chrono::steady_clock::now());
    On([&] { server_.reset(); });
    loop_.Stop();
    thread_.join();
  }

  // Runs `work` on the loop's thread and returns its result.
  template <class F>
  auto On(F work) -> decltype(work()) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    loop_.Post([&task] { task(); });
    return done.get();
  }
  // Starts a server on a free port.
  void Serve(HttpHandler handler, HttpServerOptions options = {}, BodyGate gate = nullptr) {
    options.port = 0;
    On([&] {
      auto server = MakeHttpServer(loop_, options, std::move(handler), std::move(gate));
      ASSERT_TRUE(server.ok()) << StatusText(server.status());
      server_ = *std::move(server);
      port_ = server_->port();
    });
  }
  std::future<void> StartDrain(SteadyTime deadline) {
    auto done = std::make_shared<std::promise<void>>();
    loop_.Spawn([](HttpServer* server, SteadyTime until,
                   std::shared_ptr<std::promise<void>> ended) -> Task<void> {
      co_await server->Drain(until);
      ended->set_value();
    }(server_.get(), deadline, done));
    return done->get_future();
  }
  void Drain(SteadyTime deadline) { StartDrain(deadline).get(); }
  std::size_t open_connections() {
    return On([&] { return server_->open_connections(); });
  }

  Loop loop_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;

 private:
  std::thread thread_;
};

// Answers with the method, path and body it got.
inline Task<void> Echo(ServerRequest request, ResponseWriter& writer) {
  ServerResponse response;
  response.headers.Add("Content-Type", "text/plain");
  response.body = request.method + " " + request.path + " " + request.body;
  (void)co_await writer.Send(std::move(response));
}

// Ends when `token` is cancelled.
inline Task<void> Cancellation(CancelToken token) {
  auto cancelled = std::make_shared<OneShot<bool>>();
  auto registration = token.OnCancel([cancelled] { cancelled->Set(true); });
  co_await cancelled->Wait();
}

}  // namespace talon::io
