// SPDX-License-Identifier: Apache-2.0
#include "io/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>

#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/sse.h"
#include "tests/support/voluntary_switches.h"
#include "tests/unit/io/fake_http_server.h"

namespace talon::io {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using Connection = FakeHttpServer::Connection;

// Answers every request of a connection with what `answer` makes of it.
FakeHttpServer::Handler Answering(std::function<std::string(const std::string&)> answer) {
  return [answer = std::move(answer)](Connection& connection) {
    while (true) {
      const std::string request = connection.ReadRequest();
      if (request.empty() || !connection.Send(answer(request))) return;
    }
  };
}

FakeHttpServer::Handler AnsweringOnce(std::string bytes) {
  return [bytes = std::move(bytes)](Connection& connection) {
    if (!connection.ReadRequest().empty()) connection.Send(bytes);
  };
}

class HttpClientTest : public testing::Test {
 protected:
  absl::StatusOr<HttpResponse> Fetch(HttpRequest request, CallContext context = {}) {
    return loop_.RunUntilDone(client_->Fetch(std::move(request), std::move(context)));
  }
  static HttpRequest Get(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    return request;
  }
  static CallContext Within(milliseconds time) {
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + time;
    return context;
  }

  Loop loop_;
  std::unique_ptr<HttpClient> client_ = MakeCurlClient(loop_, {});
};

TEST_F(HttpClientTest, KeepsTheConnectionAndSendsWhatWasAsked) {
  FakeHttpServer server(Answering([](const std::string& request) { return OkAnswer(request); }));
  for (int i = 0; i < 3; ++i) {
    HttpRequest request = Get(server.Url("/a?b=c"));
    request.method = "POST";
    request.body = "the body";
    request.headers = {{"X-One", "1"}, {"X-Empty", ""}};
    const auto response = Fetch(std::move(request));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
    EXPECT_THAT(response->body, HasSubstr("POST /a?b=c HTTP/1.1\r\n"));
    EXPECT_THAT(response->body, HasSubstr("\r\nX-One: 1\r\n"));
    EXPECT_THAT(response->body, HasSubstr("\r\nX-Empty:\r\n"));
    EXPECT_THAT(response->body, HasSubstr("\r\nUser-Agent: talon\r\n"));
    EXPECT_THAT(response->body, HasSubstr("\r\n\r\nthe body"));
    EXPECT_THAT(response->body, Not(HasSubstr("Expect")));
    EXPECT_THAT(response->body, Not(HasSubstr("Content-Type")));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, MethodsAndLargeBodies) {
  FakeHttpServer server(Answering([](const std::string& request) {
    return OkAnswer(fmt::format("{} {}", request.substr(0, request.find(' ')), request.size()));
  }));
  for (const std::string method : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    HttpRequest request = Get(server.Url("/"));
    request.method = method;
    request.body = std::string(3 << 20, 'x');
    const auto response = Fetch(std::move(request));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(response->body, testing::StartsWith(method + " 3145"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, HeadHasNoBody) {
  FakeHttpServer server(Answering([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  }));
  HttpRequest request = Get(server.Url("/"));
  request.method = "HEAD";
  const auto response = Fetch(std::move(request));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->headers.Get("content-length"), "5");
  EXPECT_EQ(response->body, "");
}

TEST_F(HttpClientTest, ChunkedAnswerAndTheHeadersOfTheFinalResponse) {
  FakeHttpServer server(AnsweringOnce(
      "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\n"
      "HTTP/1.1 429 Slow down\r\nRetry-After:  3 \r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n"));
  const auto response = Fetch(Get(server.Url("/")));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 429);
  EXPECT_EQ(response->body, "hello world");
  EXPECT_EQ(response->headers.Get("retry-after"), "3");
  EXPECT_FALSE(response->headers.Has("X-Early"));
  EXPECT_FALSE(response->headers.Has("X-Trailer"));
}

TEST_F(HttpClientTest, CutMidBodyGivesThePieceAndThenTheError) {
  FakeHttpServer server(AnsweringOnce("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"));
  const auto run = [](HttpClient* client, HttpRequest request) -> Task<absl::Status> {
    TALON_CO_ASSIGN_OR_RETURN(const auto stream, co_await client->Open(std::move(request), {}));
    TALON_CO_ASSIGN_OR_RETURN(const std::string piece, co_await stream->Read());
    EXPECT_EQ(piece, "only this");
    co_return (co_await stream->Read()).status();
  };
  const auto status = loop_.RunUntilDone(run(client_.get(), Get(server.Url("/"))));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kTransport);
}

TEST_F(HttpClientTest, RefusedConnectionNamesTheRequestWithoutItsSecrets) {
  std::string url;
  {
    const FakeHttpServer gone([](Connection&) {});
    url = gone.Url("/path?key=hidden");
  }
  url.replace(0, 7, "http://user:hidden@");
  const auto response = Fetch(Get(url));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(response.status()), ErrorReason::kTransport);
  EXPECT_THAT(StatusText(response.status()), HasSubstr("GET http://127.0.0.1:"));
  EXPECT_THAT(StatusText(response.status()), HasSubstr("/path: "));
  EXPECT_THAT(StatusText(response.status()), Not(HasSubstr("hidden")));
}

TEST_F(HttpClientTest, TheDeadlineEndsASlowAnswer) {
  FakeHttpServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow");
    connection.WaitForClose();
  });
  const auto response = Fetch(Get(server.Url("/")), Within(milliseconds(30)));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(StatusText(response.status()), HasSubstr(server.Url("/")));
  // Passed before the start: nothing is sent.
  EXPECT_EQ(Fetch(Get(server.Url("/")), Within(milliseconds(-1))).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, CancelEndsAWaitingRequest) {
  CancelSource source;
  FakeHttpServer server([&](Connection& connection) {
    connection.ReadRequest();
    loop_.Post([&] { source.Cancel(absl::CancelledError("user pressed stop")); });
    connection.WaitForClose();
  });
  CallContext context;
  context.cancel = source.token();
  EXPECT_EQ(Fetch(Get(server.Url("/")), context).status(),
            absl::CancelledError("user pressed stop"));
  EXPECT_EQ(Fetch(Get(server.Url("/")), context).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpClientTest, DroppingTheStreamClosesTheConnection) {
  std::promise<void> closed;
  FakeHttpServer server([&](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    connection.WaitForClose();
    closed.set_value();
  });
  const auto run = [](HttpClient* client, HttpRequest request) -> Task<absl::Status> {
    co_return (co_await client->Open(std::move(request), {})).status();
  };
  EXPECT_TRUE(loop_.RunUntilDone(run(client_.get(), Get(server.Url("/")))).ok());
  closed.get_future().wait();
}

TEST_F(HttpClientTest, DestroyingTheClientCancelsTransfers) {
  FakeHttpServer server([&](Connection& connection) {
    connection.ReadRequest();
    loop_.Post([&] { client_.reset(); });
    connection.WaitForClose();
  });
  EXPECT_EQ(Fetch(Get(server.Url("/"))).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpClientTest, ASlowReaderStallsTheSender) {
  constexpr std::size_t kPiece = 1 << 20;
  constexpr std::size_t kPieces = 64;
  std::atomic<std::size_t> sent = 0;
  std::atomic<bool> stalled = false;
  OneShot<std::size_t> stall;
  FakeHttpServer server([&](Connection& connection) {
    connection.ReadRequest();
    connection.Send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", kPiece * kPieces));
    const auto on_stall = [&] {
      stalled = true;
      loop_.Post([&] { stall.Set(sent); });
    };
    for (std::size_t i = 0; i < kPieces; ++i) {
      if (!connection.SendWatched(std::string(kPiece, static_cast<char>('a' + i % 26)), 100,
                                  on_stall)) {
        break;
      }
      sent += kPiece;
    }
    if (!stalled) on_stall();
  });
  struct Seen {
    std::size_t sent_at_stall = 0;
    std::size_t received = 0;
    std::size_t largest = 0;
    bool in_order = true;
  };
  const auto run = [](HttpClient* client, HttpRequest request,
                      OneShot<std::size_t>* stall_shot) -> Task<absl::StatusOr<Seen>> {
    Seen seen;
    TALON_CO_ASSIGN_OR_RETURN(const auto stream, co_await client->Open(std::move(request), {}));
    seen.sent_at_stall = co_await stall_shot->Wait();
    while (true) {
      TALON_CO_ASSIGN_OR_RETURN(const std::string piece, co_await stream->Read());
      if (piece.empty()) co_return seen;
      for (std::size_t i = 0; i < piece.size(); i += 4096) {
        const char expected = static_cast<char>('a' + (seen.received + i) / kPiece % 26);
        seen.in_order = seen.in_order && piece[i] == expected;
      }
      seen.received += piece.size();
      seen.largest = std::max(seen.largest, piece.size());
    }
  };
  const auto seen = loop_.RunUntilDone(run(client_.get(), Get(server.Url("/")), &stall));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_LT(seen->sent_at_stall, kPiece * kPieces / 2);  // the kernel's buffers hold the rest
  EXPECT_EQ(seen->received, kPiece * kPieces);
  EXPECT_TRUE(seen->in_order);
  EXPECT_LE(seen->largest, HttpClientOptions().stream_buffer.value + (32 << 10));
}

TEST_F(HttpClientTest, TheBodyLimitEndsTheTransfer) {
  FakeHttpServer server(Answering([](const std::string&) { return OkAnswer("12345678"); }));
  HttpRequest request = Get(server.Url("/"));
  request.max_body_bytes = 7;
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kResourceExhausted);
  request.max_body_bytes = 8;
  EXPECT_TRUE(Fetch(request).ok());
}

TEST_F(HttpClientTest, AnEndlessHeaderEndsTheTransfer) {
  FakeHttpServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\n");
    while (connection.Send("X-Filler: 0123456789012345678901234567890123456789\r\n")) {
    }
  });
  EXPECT_EQ(Fetch(Get(server.Url("/"))).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(HttpClientTest, RedirectsAreFollowedOnlyWhenAsked) {
  FakeHttpServer server(Answering([](const std::string& request) {
    if (request.starts_with("GET /a ")) {
      return std::string("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nmove");
    }
    if (request.starts_with("GET /file ")) {
      return std::string(
          "HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n");
    }
    if (request.starts_with("GET /round ")) {
      return std::string("HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n");
    }
    return OkAnswer("arrived");
  }));
  auto response = Fetch(Get(server.Url("/a")));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->headers.Get("Location"), "/b");
  EXPECT_EQ(response->body, "move");

  HttpRequest request = Get(server.Url("/a"));
  request.follow_redirects = true;
  response = Fetch(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "arrived");
  EXPECT_FALSE(response->headers.Has("Location"));

  for (const std::string path : {"/file", "/round"}) {
    request.url = server.Url(path);
    EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kFailedPrecondition) << path;
  }
}

TEST_F(HttpClientTest, ARefusedAddressIsNotConnectedNotEvenOnAKeptConnection) {
  FakeHttpServer server(Answering([](const std::string&) { return OkAnswer("in"); }));
  HttpRequest request = Get(server.Url("/"));
  std::vector<std::string> seen;
  request.check_address = [&](const std::string& address) {
    seen.push_back(address);
    return absl::PermissionDeniedError("private address");
  };
  EXPECT_EQ(Fetch(request).status(), absl::PermissionDeniedError("private address"));
  EXPECT_EQ(server.connections(), 0);
  EXPECT_TRUE(Fetch(Get(server.Url("/"))).ok());  // unchecked; leaves an open connection
  EXPECT_EQ(Fetch(request).status(), absl::PermissionDeniedError("private address"));
  EXPECT_EQ(seen, (std::vector<std::string>{"127.0.0.1", "127.0.0.1"}));
  request.check_address = [](const std::string&) { return absl::OkStatus(); };
  EXPECT_TRUE(Fetch(request).ok());
}

TEST_F(HttpClientTest, UnsendableRequestsAreInvalid) {
  HttpRequest bad_method = Get("http://127.0.0.1/");
  bad_method.method = "GET / HTTP/1.1\r\nX:";
  HttpRequest bad_header = Get("http://127.0.0.1/");
  bad_header.headers = {{"X", "a\r\nInjected: 1"}};
  HttpRequest bad_name = Get("http://127.0.0.1/");
  bad_name.headers = {{"X: y\r\nZ", "a"}};
  for (const auto& request :
       {bad_method, bad_header, bad_name, Get("file:///etc/passwd"), Get(""), Get("http://"),
        Get("http://127.0.0.1/\r\nX: 1"), Get("gopher://127.0.0.1/"), Get("http://[::1/")}) {
    EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kInvalidArgument) << request.url;
  }
}

TEST_F(HttpClientTest, ManyFetchesAtOnce) {
  FakeHttpServer server(Answering([](const std::string& request) {
    return OkAnswer(request.substr(0, request.find("\r\n")) + std::string(100'000, 'x'));
  }));
  const auto one = [](HttpClient* client, HttpRequest request, int* ok) -> Task<void> {
    const auto response = co_await client->Fetch(std::move(request), {});
    if (response.ok() && response->body.size() > 100'000) ++*ok;
  };
  const auto all = [&](Loop& loop) -> Task<int> {
    Nursery nursery(loop);
    int ok = 0;
    for (int i = 0; i < 64; ++i) {
      nursery.Spawn(one(client_.get(), Get(server.Url(fmt::format("/{}", i))), &ok));
    }
    co_await nursery.Join();
    co_return ok;
  };
  EXPECT_EQ(loop_.RunUntilDone(all(loop_)), 64);
  EXPECT_LE(server.connections(), 64);
  const int before = server.connections();
  EXPECT_EQ(loop_.RunUntilDone(all(loop_)), 64);
  EXPECT_LE(server.connections(), before + 64);
}

TEST_F(HttpClientTest, MoreRequestsThanConnectionsQueue) {
  FakeHttpServer server(Answering([](const std::string&) { return OkAnswer("x"); }));
  HttpClientOptions options;
  options.max_connections_per_host = 2;
  client_ = MakeCurlClient(loop_, options);
  const auto one = [](HttpClient* client, HttpRequest request, int* ok) -> Task<void> {
    if ((co_await client->Fetch(std::move(request), {})).ok()) ++*ok;
  };
  const auto all = [&](Loop& loop) -> Task<int> {
    Nursery nursery(loop);
    int ok = 0;
    for (int i = 0; i < 20; ++i) nursery.Spawn(one(client_.get(), Get(server.Url("/")), &ok));
    co_await nursery.Join();
    co_return ok;
  };
  EXPECT_EQ(loop_.RunUntilDone(all(loop_)), 20);
  EXPECT_LE(server.connections(), 2);
}

TEST_F(HttpClientTest, AnIdleEventStreamIsNotPolled) {
  FakeHttpServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n");
    connection.WaitForClose();
  });
  const auto run = [](Loop& loop, HttpClient* client,
                      HttpRequest request) -> Task<absl::StatusOr<long>> {
    TALON_CO_ASSIGN_OR_RETURN(const auto stream, co_await client->Open(std::move(request), {}));
    TALON_CO_ASSIGN_OR_RETURN(const std::string piece, co_await stream->Read());
    EXPECT_EQ(piece, "data: one\n\n");
    const auto later = [](int ms) { return std::chrono::steady_clock::now() + milliseconds(ms); };
    (void)co_await loop.SleepUntil(later(20), {});
    const long before = VoluntarySwitches();
    (void)co_await loop.SleepUntil(later(500), {});
    co_return VoluntarySwitches() - before;
  };
  const auto switches = loop_.RunUntilDone(run(loop_, client_.get(), Get(server.Url("/"))));
  ASSERT_TRUE(switches.ok()) << switches.status();
  // The sleep itself is one; libcurl's timers of connecting (200 ms, then the connect time-out)
  // each fire once after a new connection. Anything periodic would be far above.
  EXPECT_LE(*switches, 4);
}

}  // namespace
}  // namespace talon::io
