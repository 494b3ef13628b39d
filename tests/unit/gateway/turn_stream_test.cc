// SPDX-License-Identifier: Apache-2.0
// From what a turn shows to what its client is sent, at the client's pace.
#include "gateway/turn_stream.h"

#include <functional>

#include "io/nursery.h"
#include "tests/unit/gateway/gateway_rig.h"

namespace talon::gateway {
namespace {

using testing::ElementsAre;

// A wire that shows what was pushed.
class PlainFormat : public StreamFormat {
 public:
  std::string Text(std::string_view delta) override { return std::string(delta); }
  std::string Reasoning(std::string_view) override { return ""; }
  std::string ToolStart(const agent::ToolActivity&) override { return "<"; }
  std::string ToolResult(const agent::ToolActivity&) override { return ">"; }
  std::string End(const agent::TurnOutcome&) override { return "."; }
};

// A client that takes a piece when it is told to.
class SlowWriter : public io::ResponseWriter {
 public:
  io::Task<absl::Status> Send(io::ServerResponse) override { co_return absl::OkStatus(); }
  io::Task<absl::Status> StartStream(io::ServerResponse) override { co_return absl::OkStatus(); }
  io::Task<absl::Status> Write(std::string data) override {
    pieces.push_back(std::move(data));
    written.Add();
    if (pieces.size() == 1) co_await first->Wait();
    co_return absl::OkStatus();
  }
  io::Task<absl::Status> Finish() override {
    finished = true;
    co_return absl::OkStatus();
  }
  bool started() const override { return true; }

  std::vector<std::string> pieces;
  agent::Counter written;
  agent::Open first = Closed();
  bool finished = false;
};

class TurnStreamTest : public testing::Test {
 public:
  // Pumps while `meanwhile` runs, which begins when the writer is held by its first piece.
  absl::Status Pump(TurnStream& stream, std::function<void()> meanwhile) {
    return loop.RunUntilDone([](TurnStreamTest* self, TurnStream* s,
                                std::function<void()> then) -> io::Task<absl::Status> {
      io::Nursery nursery(self->loop);
      nursery.Spawn([](TurnStreamTest* test, std::function<void()> what) -> io::Task<void> {
        co_await test->writer.written.Reached(1);
        what();
        test->writer.first->Set(true);
      }(self, std::move(then)));
      absl::Status status = co_await s->Pump(self->writer);
      co_await nursery.Join();
      co_return status;
    }(this, &stream, std::move(meanwhile)));
  }
  // Three of them before the text that ends the turn.
  void ExpectComments(const GatewayOptions& options, const io::Headers& headers) {
    TurnStream stream(format, loop, clock, options, headers);
    writer.first->Set(true);
    const absl::Status status =
        loop.RunUntilDone([](TurnStreamTest* self, TurnStream* s) -> io::Task<absl::Status> {
          co_await s->Begun();  // by a comment: the client sees the stream before the answer
          io::Nursery nursery(self->loop);
          nursery.Spawn([](TurnStreamTest* test, TurnStream* of) -> io::Task<void> {
            co_await test->writer.written.Reached(3);
            of->OnText("text");
            of->OnEnd({});
          }(self, s));
          absl::Status pumped = co_await s->Pump(self->writer);
          co_await nursery.Join();
          co_return pumped;
        }(this, &stream));
    EXPECT_OK(status);
    ASSERT_GE(writer.pieces.size(), 4u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(writer.pieces[i], ": keep-alive\n\n");
    EXPECT_TRUE(writer.pieces.back().ends_with("text."));
    EXPECT_TRUE(writer.finished);
  }
  static GatewayOptions Limits(std::uint64_t max_buffer) {
    GatewayOptions options;
    options.stream_buffer.value = max_buffer;
    return options;
  }

  io::Loop loop;
  SystemClock clock;
  PlainFormat format;
  SlowWriter writer;
};

TEST_F(TurnStreamTest, SilenceIsFilledWithComments) {
  GatewayOptions options = Limits(1000);
  options.keep_alive = std::chrono::milliseconds(1);
  io::Headers headers;
  headers.Set("X-Forwarded-For", "192.0.2.1");
  ExpectComments(options, headers);
}

TEST_F(TurnStreamTest, AClientWithoutAProxyHasItsOwnInterval) {
  GatewayOptions options = Limits(1000);
  options.keep_alive = std::chrono::milliseconds(0);
  options.keep_alive_direct = std::chrono::milliseconds(1);
  ExpectComments(options, {});
}

TEST_F(TurnStreamTest, WhatComesWhileTheClientIsBusyGoesOutTogether) {
  TurnStream stream(format, loop, clock, Limits(1000), {});
  stream.OnText("a");
  EXPECT_OK(Pump(stream, [&] {
    stream.OnText("b");
    stream.OnToolStart({});
    stream.OnToolResult({});
    stream.OnReasoning("not shown here");
    stream.OnEnd({});
  }));
  EXPECT_THAT(writer.pieces, ElementsAre("a", "b<>."));
  EXPECT_TRUE(writer.finished);
}

TEST_F(TurnStreamTest, AClientThatIsTooFarBehindIsDropped) {
  TurnStream stream(format, loop, clock, Limits(100), {});
  stream.OnText("a");
  const absl::Status status = Pump(stream, [&] {
    stream.OnText(std::string(60, 'b'));
    stream.OnText(std::string(60, 'c'));
    stream.OnEnd({});
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(writer.finished);
}

TEST_F(TurnStreamTest, ATurnThatWasNotWatchedGivesItsTextAtTheEnd) {
  TurnStream stream(format, loop, clock, Limits(1000), {});
  agent::TurnOutcome outcome;
  outcome.answer.text = "all of it";
  stream.OnEnd(outcome);
  writer.first->Set(true);
  EXPECT_OK(loop.RunUntilDone(stream.Pump(writer)));
  EXPECT_THAT(writer.pieces, ElementsAre("all of it."));
}

TEST_F(TurnStreamTest, AnEarlyErrorIsOneBeforeAnythingWasSeen) {
  agent::TurnOutcome failed;
  failed.error = Unavailable("down");
  TurnStream early(format, loop, clock, Limits(1000), {});
  early.OnReasoning("nothing to see");
  early.OnEnd(failed);
  loop.RunUntilDone([](TurnStream* s) -> io::Task<int> {
    co_await s->Begun();
    co_return 0;
  }(&early));
  EXPECT_TRUE(absl::IsUnavailable(early.early_error()));
  TurnStream late(format, loop, clock, Limits(1000), {});
  late.OnToolStart({});
  late.OnEnd(failed);
  EXPECT_OK(late.early_error());
}

}  // namespace
}  // namespace talon::gateway
