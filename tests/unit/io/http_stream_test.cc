// SPDX-License-Identifier: Apache-2.0
// Streamed answers, clients that leave or stall, and draining.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

#include "http_server_fixture.h"
#include "io/sse.h"

namespace talon::io {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

SteadyTime In(milliseconds wait) {
  return std::chrono::steady_clock::now() + wait;
}

class HttpStreamTest : public ServerFixture {
 protected:
  // A handler's findings for the test's thread.
  std::promise<absl::Status> result_;
  // A copy of its own: the thread sanitizer does not see the count that the library's copies share.
  void SetResult(const absl::Status& status) {
    result_.set_value(absl::Status(status.code(), status.message()));
  }
  absl::Status Result() { return result_.get_future().get(); }
};

constexpr std::string_view kGet = "GET / HTTP/1.1\r\n\r\n";

TEST_F(HttpStreamTest, StreamsChunksAndKeepsTheConnection) {
  Serve([](ServerRequest, ResponseWriter& writer) -> Task<void> {
    EXPECT_FALSE(writer.started());
    EXPECT_TRUE((co_await writer.StartStream({})).ok());
    EXPECT_TRUE(writer.started());
    EXPECT_TRUE((co_await writer.Write("hello")).ok());
    EXPECT_TRUE((co_await writer.Write("")).ok());
    EXPECT_TRUE((co_await writer.Write(" world, hello")).ok());
    EXPECT_TRUE((co_await writer.Finish()).ok());
    EXPECT_FALSE((co_await writer.Write("late")).ok());
  });
  ClientSocket client(port_);
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    EXPECT_THAT(client.ReadUntil("0\r\n\r\n"),
                AllOf(HasSubstr("\r\nTransfer-Encoding: chunked\r\n"),
                      EndsWith("\r\n\r\n5\r\nhello\r\nd\r\n world, hello\r\n0\r\n\r\n")));
  }
}

TEST_F(HttpStreamTest, HeadAndOldClientsGetNoChunks) {
  Serve([](ServerRequest, ResponseWriter& writer) -> Task<void> {
    (void)co_await writer.StartStream({});
    (void)co_await writer.Write("data");
    (void)co_await writer.Finish();
  });
  ClientSocket client(port_);
  client.Send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.ReadAnswer(true), HasSubstr("Transfer-Encoding: chunked"));
  client.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("chunked")),
                                        EndsWith("\r\n\r\ndata")));
}

TEST_F(HttpStreamTest, TheHeadIsSentBeforeTheFirstWrite) {
  Serve([](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    (void)co_await writer.StartStream({.status = 202});
    co_await Cancellation(request.client_gone);
  });
  ClientSocket client(port_);
  client.Send(kGet);
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 202 "));
}

TEST_F(HttpStreamTest, AnEventStreamLearnsThatItsClientLeft) {
  Serve([this](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    (void)co_await writer.StartStream({});
    (void)co_await writer.Write(FormatSse("token", "hi"));
    co_await Cancellation(request.client_gone);
    SetResult(co_await writer.Write(FormatSse("", "into the void")));
  });
  ClientSocket client(port_);
  client.Send(kGet);
  EXPECT_THAT(client.ReadUntil("\n\n"), HasSubstr("event: token\ndata: hi"));
  client.Close();
  EXPECT_EQ(Result().code(), absl::StatusCode::kCancelled);
}

// What the client pipelined stands in front of its leaving.
TEST_F(HttpStreamTest, LeavingIsSeenBehindPipelinedBytes) {
  Serve([this](ServerRequest request, ResponseWriter&) -> Task<void> {
    co_await Cancellation(request.client_gone);
    SetResult(request.client_gone.status());
  });
  ClientSocket client(port_);
  client.Send("GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
  client.Close();
  EXPECT_EQ(Result().code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpStreamTest, AClientThatEndsItsSideGetsItsAnswers) {
  OneShot<bool> ended;
  std::promise<void> begun;
  Serve([&](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/slow") {
      begun.set_value();
      co_await ended.Wait();
    }
    EXPECT_FALSE(request.client_gone.cancelled());
    ServerResponse response;
    response.body = "answer to " + request.path;
    EXPECT_TRUE((co_await writer.Send(std::move(response))).ok());
  });
  ClientSocket client(port_);
  client.Send("GET /slow HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
  begun.get_future().get();
  client.ShutdownWrite();
  // Another connection's exchange: the server has seen the end by then.
  ClientSocket other(port_);
  other.Send("GET /other HTTP/1.1\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("answer to /other"), HasSubstr("200"));
  On([&] { ended.Set(true); });
  const std::string answers = client.ReadToEnd();
  EXPECT_THAT(answers, HasSubstr("answer to /slow"));
  EXPECT_THAT(answers, HasSubstr("answer to /next"));
}

TEST_F(HttpStreamTest, AClientThatEndsItsSideAndThenGoesIsNoticed) {
  OneShot<bool> go_on;
  std::promise<void> begun;
  Serve([&](ServerRequest, ResponseWriter& writer) -> Task<void> {
    absl::Status status = co_await writer.StartStream({});
    begun.set_value();
    co_await go_on.Wait();
    while (status.ok()) status = co_await writer.Write("more");
    SetResult(status);
  });
  ClientSocket client(port_);
  client.Send(kGet);
  client.ShutdownWrite();
  begun.get_future().get();
  client.Close();
  On([&] { go_on.Set(true); });
  EXPECT_EQ(Result().code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpStreamTest, AClientThatTakesNothingIsDropped) {
  std::atomic<std::size_t> written = 0;
  constexpr std::size_t kTotal = 64 << 20;
  Serve(
      [&](ServerRequest request, ResponseWriter& writer) -> Task<void> {
        absl::Status status = co_await writer.StartStream({});
        while (status.ok() && written < kTotal) {
          written += 64 << 10;
          status = co_await writer.Write(std::string(64 << 10, 'x'));
        }
        EXPECT_TRUE(request.client_gone.cancelled());
        SetResult(status);
      },
      {.write_timeout = milliseconds(100)});
  ClientSocket client;
  client.ShrinkReceiveBuffer();
  client.Connect(port_);
  client.Send(kGet);
  const absl::Status status = Result();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(StatusText(status), HasSubstr("took no bytes for 100 ms"));
  EXPECT_LT(written, kTotal);
}

TEST_F(HttpStreamTest, ASlowReaderGetsEverything) {
  constexpr std::size_t kPieces = 150;
  Serve([](ServerRequest, ResponseWriter& writer) -> Task<void> {
    (void)co_await writer.StartStream({});
    for (std::size_t i = 0; i < kPieces; ++i) {
      EXPECT_TRUE((co_await writer.Write(std::string(32 << 10, 'x'))).ok());
    }
    EXPECT_TRUE((co_await writer.Finish()).ok());
  });
  ClientSocket client;
  client.ShrinkReceiveBuffer();
  client.Connect(port_);
  client.Send(kGet);
  const std::string answer = client.ReadUntil("\r\n0\r\n\r\n");
  EXPECT_GT(answer.size(), kPieces * (32 << 10));
  EXPECT_TRUE(answer.ends_with("x\r\n0\r\n\r\n"));
}

TEST_F(HttpStreamTest, DrainClosesIdleConnectionsAndFinishesRequests) {
  std::promise<void> started;
  std::shared_ptr<OneShot<bool>> release = std::make_shared<OneShot<bool>>();
  Serve([&started, release](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/slow") {
      started.set_value();
      co_await release->Wait();
    }
    co_await Echo(std::move(request), writer);
  });
  ClientSocket idle(port_);
  idle.Send(kGet);
  idle.ReadAnswer();
  ClientSocket busy(port_);
  busy.Send("GET /slow HTTP/1.1\r\n\r\n");
  started.get_future().get();
  auto drained = StartDrain(In(milliseconds(60'000)));
  EXPECT_TRUE(idle.ServerClosed());
  EXPECT_FALSE(ClientSocket().Connect(port_)) << "the listener is closed";
  EXPECT_EQ(open_connections(), 1u);
  On([&] { release->Set(true); });
  EXPECT_THAT(busy.ReadToEnd(), AllOf(HasSubstr("Connection: close"), EndsWith("GET /slow ")));
  drained.get();
  Drain(In(milliseconds(0)));  // idempotent
  EXPECT_EQ(open_connections(), 0u);
}

TEST_F(HttpStreamTest, DrainCancelsAtItsDeadline) {
  std::promise<void> started;
  Serve([&started](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/stream") {
      (void)co_await writer.StartStream({});
      (void)co_await writer.Write("begun");
    }
    if (request.path == "/last") started.set_value();
    co_await Cancellation(request.client_gone);
  });
  ClientSocket stream(port_);
  stream.Send("GET /stream HTTP/1.1\r\n\r\n");
  stream.ReadUntil("begun");
  ClientSocket half(port_);
  half.Send("POST /half HTTP/1.1\r\nContent-Le");
  ClientSocket silent(port_);
  silent.Send("GET /last HTTP/1.1\r\n\r\n");
  started.get_future().get();
  auto first = StartDrain(In(milliseconds(50)));
  auto second = StartDrain(In(milliseconds(10)));
  first.get();
  second.get();
  EXPECT_THAT(silent.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("stopping")));
  EXPECT_THAT(stream.ReadToEnd(), Not(HasSubstr("0\r\n\r\n")));
  EXPECT_EQ(half.ReadToEnd(), "");
}

// The handler outlives the server, and dies with the loop.
TEST_F(HttpStreamTest, DestructionWithoutDrainCancels) {
  std::promise<void> started;
  Serve([&](ServerRequest request, ResponseWriter& writer) -> Task<void> {
    (void)co_await writer.StartStream({});
    (void)co_await writer.Write("begun");
    if (request.path == "/stuck") (void)co_await loop_.SleepUntil(SteadyTime::max(), {});
    co_await Cancellation(request.client_gone);
    SetResult(request.client_gone.status());
  });
  ClientSocket stuck(port_);
  stuck.Send("GET /stuck HTTP/1.1\r\n\r\n");
  stuck.ReadUntil("begun");
  ClientSocket client(port_);
  client.Send(kGet);
  client.ReadUntil("begun");
  On([&] { server_.reset(); });
  EXPECT_EQ(Result().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(client.ReadToEnd(), "\r\n");
}

}  // namespace
}  // namespace talon::io
