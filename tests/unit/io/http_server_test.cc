// SPDX-License-Identifier: Apache-2.0
// Requests and whole answers: framing, limits, timeouts, connections.
#include "io/http_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "http_server_fixture.h"

namespace talon::io {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpServerTest : public ServerFixture {};

TEST_F(HttpServerTest, KeepAliveServesManyRequests) {
  Serve(Echo);
  ClientSocket client(port_);
  for (int i = 0; i < 50; ++i) {
    client.Send(fmt::format("POST /n{} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", i));
    const std::string answer = client.ReadAnswer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"));
    EXPECT_THAT(answer,
                AllOf(HasSubstr("\r\nDate: "), HasSubstr("\r\nConnection: keep-alive\r\n")));
    EXPECT_THAT(answer, EndsWith(fmt::format("\r\n\r\nPOST /n{} abc", i)));
  }
  EXPECT_EQ(open_connections(), 1u);
}

TEST_F(HttpServerTest, RequestsMayArriveByteByByte) {
  Serve(Echo);
  ClientSocket client(port_);
  for (char c : std::string("\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n")) {
    client.Send({&c, 1});
  }
  EXPECT_THAT(client.ReadAnswer(), EndsWith("GET /slow "));
}

TEST_F(HttpServerTest, LargeBodiesAndAnswersPass) {
  Serve(Echo);
  ClientSocket client(port_);
  const std::string body(7 << 20, 'b');
  client.Send(fmt::format("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.size()));
  client.Send(body);
  EXPECT_TRUE(client.ReadAnswer().ends_with("POST / " + body));
}

TEST_F(HttpServerTest, ChunkedBodyAndExpectContinue) {
  Serve(Echo);
  ClientSocket client(port_);
  client.Send("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("3\r\nabc\r\n2\r\n");
  client.Send("de\r\n0\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(), EndsWith("PUT / abcde"));
}

TEST_F(HttpServerTest, ABodyIsNotReadOfAClientThatIsShutOut) {
  Serve(
      [](ServerRequest request, ResponseWriter& writer) -> Task<void> {
        const ServerResponse answer{.status = 401, .body = fmt::format("{}", request.body.size())};
        EXPECT_TRUE((co_await writer.Send(answer)).ok());
      },
      {}, [](const ServerRequest& head) { return head.headers.Get("Token") == "t"; });
  ClientSocket stranger(port_);
  stranger.Send("PUT / HTTP/1.1\r\nContent-Length: 7000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(stranger.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 401 "), EndsWith("\r\n\r\n0"),
                                          HasSubstr("Connection: close")));
  ClientSocket hasty(port_);  // does not wait to be told
  hasty.Send("PUT / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
  hasty.Send(std::string(100'000, 'b'));
  EXPECT_THAT(hasty.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 401 "), EndsWith("\r\n\r\n0")));
  ClientSocket known(port_);
  known.Send("PUT / HTTP/1.1\r\nToken: t\r\nContent-Length: 3\r\n\r\n");
  known.Send("abc");
  EXPECT_THAT(known.ReadAnswer(), EndsWith("\r\n\r\n3"));
}

TEST_F(HttpServerTest, TooLargeBodyIsRefusedBeforeContinue) {
  Serve(Echo);
  ClientSocket client(port_);
  client.Send("PUT / HTTP/1.1\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Serve([this](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/slow") {
      (void)co_await loop_.SleepUntil(std::chrono::steady_clock::now() + milliseconds(20), {});
    }
    co_await Echo(std::move(request), writer);
  });
  ClientSocket client(port_);
  std::string burst = "GET /slow HTTP/1.1\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    burst += fmt::format("POST /{} HTTP/1.1\r\nContent-Length: 500\r\n\r\n{:500}", i, "x");
  }
  client.Send(burst);
  EXPECT_THAT(client.ReadAnswer(), EndsWith("GET /slow "));
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(client.ReadAnswer(), HasSubstr(fmt::format("\r\n\r\nPOST /{} x", i)));
  }
}

TEST_F(HttpServerTest, HeadAndNoContentHaveNoBody) {
  Serve([](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/none") {
      (void)co_await writer.Send({.status = 204});
    } else {
      co_await Echo(std::move(request), writer);
    }
  });
  ClientSocket client(port_);
  client.Send("HEAD /x HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(true), HasSubstr("\r\nContent-Length: 8\r\n"));
  const std::string none = client.ReadAnswer();
  EXPECT_THAT(none, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(none, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(client.ReadAnswer(), EndsWith("GET /y "));
}

TEST_F(HttpServerTest, OldAndClosingClientsAreClosed) {
  Serve(Echo);
  ClientSocket old(port_);
  old.Send("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), AllOf(HasSubstr("Connection: close"), EndsWith("GET /old ")));
  ClientSocket closing(port_);
  closing.Send("GET /a HTTP/1.1\r\nConnection: close\r\n\r\nGET /ignored HTTP/1.1\r\n\r\n");
  EXPECT_THAT(closing.ReadToEnd(), EndsWith("GET /a "));
  ClientSocket half(port_);
  half.Send("GET /half HTTP/1.1\r\n\r\n");
  half.ShutdownWrite();
  EXPECT_THAT(half.ReadToEnd(), EndsWith("GET /half "));
}

TEST_F(HttpServerTest, MalformedRequestsGetAJsonErrorAndAreClosed) {
  Serve(Echo);
  const auto refused = [this](const std::string& text) {
    ClientSocket client(port_);
    client.Send(text);
    return client.ReadToEnd();
  };
  EXPECT_THAT(refused("GARBAGE\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"),
                    HasSubstr("\r\nConnection: close\r\n"),
                    HasSubstr("\r\n\r\n{\"error\":{\"message\":\"the request is malformed: "),
                    EndsWith(",\"type\":\"invalid_request_error\",\"code\":\"bad_request\"}}")));
  EXPECT_THAT(refused("GET / HTTP/1.1\r\nA: " + std::string(40 << 10, 'x')),
              AllOf(StartsWith("HTTP/1.1 431 "), EndsWith("\"code\":\"header_too_large\"}}")));
  EXPECT_THAT(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(refused("BREW / HTTP/1.1\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 501 "), HasSubstr("the method 'BREW'")));
}

TEST_F(HttpServerTest, RefusalArrivesWhileTheClientStillSends) {
  Serve(Echo, {.max_body = {1 << 20}});
  ClientSocket client(port_);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n");
  client.Send(std::string(1'000'000, 'x'));
  EXPECT_THAT(client.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 413 "), EndsWith("\"code\":\"body_too_large\"}}")));
}

TEST_F(HttpServerTest, SlowRequestsTimeOut) {
  Serve(Echo, {.header_timeout = milliseconds(30), .body_timeout = milliseconds(40)});
  ClientSocket header(port_);
  header.Send("GET / HTTP/1.1\r\nHost");
  EXPECT_THAT(header.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("within 30 ms")));
  ClientSocket body(port_);
  body.Send("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na");
  EXPECT_THAT(body.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("within 40 ms")));
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  Serve(Echo, {.idle_timeout = milliseconds(30)});
  ClientSocket silent(port_);
  EXPECT_TRUE(silent.ServerClosed());
  ClientSocket client(port_);
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(), EndsWith("GET / "));
  EXPECT_TRUE(client.ServerClosed());
  ClientSocket blank(port_);
  blank.Send("GET / HTTP/1.1\r\n\r\n\r\n\r");
  EXPECT_THAT(blank.ReadAnswer(), EndsWith("GET / "));
  EXPECT_TRUE(blank.ServerClosed());
  EXPECT_EQ(open_connections(), 0u);
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreToldSo) {
  Serve(Echo, {.max_connections = 2});
  ClientSocket a(port_);
  ClientSocket b(port_);
  a.Send("GET / HTTP/1.1\r\n\r\n");
  b.Send("GET / HTTP/1.1\r\n\r\n");
  a.ReadAnswer();
  b.ReadAnswer();
  ClientSocket c(port_);
  EXPECT_THAT(c.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("its limit"),
                                   EndsWith("\"code\":\"too_many_connections\"}}")));
  a.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  a.ReadToEnd();
  ClientSocket d(port_);
  d.Send("GET /d HTTP/1.1\r\n\r\n");
  EXPECT_THAT(d.ReadAnswer(), EndsWith("GET /d ")) << "a's place is free";
  b.Send("GET /b HTTP/1.1\r\n\r\n");
  EXPECT_THAT(b.ReadAnswer(), EndsWith("GET /b "));
}

TEST_F(HttpServerTest, StrangersLeaveDescriptorsForTheRest) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(lowest_free) + 100;
  ::setrlimit(RLIMIT_NOFILE, &few);
  Serve(Echo);
  // In a process of their own, whose descriptors are not ours. The last is closed unserved: then
  // the server has taken all it takes.
  int told[2];
  ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
  const pid_t strangers = ::fork();
  if (strangers == 0) {
    ::setrlimit(RLIMIT_NOFILE, &before);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int last = -1;
    for (int i = 0; i < 200; ++i) {
      last = ::socket(AF_INET, SOCK_STREAM, 0);
      ::connect(last, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    char byte = 0;
    while (::recv(last, &byte, 1, 0) > 0) {
    }
    (void)!::write(told[1], "x", 1);
    while (true) ::pause();
  }
  ::close(told[1]);
  char byte = 0;
  EXPECT_EQ(::read(told[0], &byte, 1), 1);
  EXPECT_GT(open_connections(), 40u);
  std::vector<int> free;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) free.push_back(fd);
  for (const int fd : free) ::close(fd);
  const std::size_t own = static_cast<std::size_t>(lowest_free) + 2;  // with listener and pipe
  EXPECT_GE(free.size() + own, few.rlim_cur / 2);
  ::kill(strangers, SIGKILL);
  ::waitpid(strangers, nullptr, 0);
  ::close(told[0]);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(HttpServerTest, BodiesBeyondTheirTotalComeBackLater) {
  Serve(Echo, {.max_body = Bytes{100'000}, .max_bodies = Bytes{150'000}});
  ClientSocket a(port_);
  ClientSocket b(port_);
  const std::string head = "PUT / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n";
  for (ClientSocket* client : {&a, &b}) client->Send(head + std::string(90'000, 'x'));
  ClientSocket& refused = ClientSocket::FirstSpokenTo(a, b);
  ClientSocket& served = &refused == &a ? b : a;
  EXPECT_THAT(refused.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nRetry-After: 1\r\n"),
                    EndsWith("\"code\":\"too_many_bodies\"}}")));
  served.Send(std::string(10'000, 'x'));
  const std::string whole = "PUT / " + std::string(100'000, 'x');
  EXPECT_THAT(served.ReadAnswer(), EndsWith("\r\n\r\n" + whole));
  ClientSocket again(port_);
  again.Send(head + std::string(100'000, 'x'));
  EXPECT_THAT(again.ReadAnswer(), EndsWith("\r\n\r\n" + whole)) << "what was counted is free";
}

TEST_F(HttpServerTest, BadHandlersBecome500) {
  Serve([](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/throw") throw std::runtime_error("secret detail");
    if (request.path == "/half") (void)co_await writer.StartStream({});
    if (request.path == "/twice") {
      (void)co_await writer.Send({.body = "first"});
      EXPECT_EQ((co_await writer.Send({.body = "second"})).code(),
                absl::StatusCode::kFailedPrecondition);
    }
  });
  const auto get = [this](const std::string& path) {
    ClientSocket client(port_);
    client.Send("GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
    return client.ReadToEnd();
  };
  EXPECT_THAT(get("/throw"), AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("secret"))));
  EXPECT_THAT(get("/nothing"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(get("/half"), AllOf(StartsWith("HTTP/1.1 200 "), Not(EndsWith("0\r\n\r\n"))));
  EXPECT_THAT(get("/twice"), EndsWith("\r\n\r\nfirst"));
}

TEST_F(HttpServerTest, HandlersCannotSmuggleHeaders) {
  Serve([](ServerRequest, ResponseWriter& writer) -> Task<void> {
    ServerResponse response;
    response.headers = {{"X-A", "1\r\nX-B: 2"}, {"Content-Length", "999"}, {"X-C\r\n", "3"}};
    (void)co_await writer.Send(std::move(response));
  });
  ClientSocket client(port_);
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(), AllOf(HasSubstr("X-A: 1  X-B: 2\r\n"), Not(HasSubstr("999"))));
}

TEST_F(HttpServerTest, PortInUseIsAlreadyExists) {
  Serve(Echo);
  const absl::Status second =
      On([&] { return MakeHttpServer(loop_, {.port = port_}, Echo).status(); });
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(StatusText(second), HasSubstr(fmt::format("port 127.0.0.1:{} is in use", port_)));
  const absl::Status text =
      On([&] { return MakeHttpServer(loop_, {.bind = "example"}, Echo).status(); });
  EXPECT_EQ(text.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpServerTest, ListensOnIpv6) {
  On([&] {
    auto server = MakeHttpServer(loop_, {.bind = "::1", .port = 0}, Echo);
    if (server.ok()) EXPECT_NE((*server)->port(), 0);
  });
}

// Without descriptors the server rests instead of spinning, and serves what waited afterwards.
TEST_F(HttpServerTest, OutOfDescriptorsDelaysButLosesNobody) {
  Serve(Echo);
  ClientSocket client;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ::setrlimit(RLIMIT_NOFILE, &none);
  ASSERT_TRUE(client.Connect(port_));
  client.Send("GET /waited HTTP/1.1\r\n\r\n");
  EXPECT_EQ(open_connections(), 0u);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_THAT(client.ReadAnswer(), EndsWith("GET /waited "));
}

}  // namespace
}  // namespace talon::io
