// SPDX-License-Identifier: Apache-2.0
// Tries, refusals, streams that break, time and cancellation: what is the same on every wire.
#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

using fakes::EventStream;
using fakes::FakeReply;
using fakes::Whole;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr char kGood[] = R"({"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]})";
constexpr char kDelta[] = R"({"choices":[{"delta":{"content":"par"}}]})";
constexpr char kEnd[] = R"({"choices":[{"delta":{"content":"t"},"finish_reason":"stop"}]})";
constexpr char kBusy[] = R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})";

TEST(HttpModelTest, TriesAgainAsTheProviderAsks) {
  ModelRig rig(Wire::kOpenAi);
  rig.http.Push(Whole(429, kBusy, {{"retry-after", "7"}}));
  rig.http.Push(Whole(503, "", {{"retry-after-ms", "1200"}}));
  rig.http.Push(Whole(200, kGood));
  auto answer = rig.Complete(ModelRig::Hello());
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_EQ(TextOf(answer->message), "ok");
  EXPECT_THAT(rig.waits, testing::ElementsAre(7000ms, 1200ms));
  ASSERT_EQ(rig.http.requests.size(), 3u);
  EXPECT_EQ(rig.http.requests[0].body, rig.http.requests[2].body);
}

TEST(HttpModelTest, GivesUpAfterMaxAttemptsWithTheLastError) {
  ModelRig rig(Wire::kOpenAi);
  for (int i = 0; i < 3; ++i) rig.http.Push(Whole(429, kBusy));
  auto answer = rig.Complete(ModelRig::Hello());
  EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kRateLimited);
  EXPECT_EQ(talon::Message(answer.status()),
            "model 'acme/some-model': rate limited (HTTP 429): 'slow down'");
  EXPECT_EQ(rig.http.requests.size(), 3u);
}

TEST(HttpModelTest, FinalErrorsAreNotTriedAgain) {
  ModelRig rig(Wire::kOpenAi);
  for (int status : {400, 401, 402, 403, 404, 413, 422}) {
    rig.http.Push(Whole(status, "{}"));
    EXPECT_FALSE(rig.Complete(ModelRig::Hello()).ok());
  }
  EXPECT_EQ(rig.http.requests.size(), 7u);
  EXPECT_TRUE(rig.waits.empty());
}

TEST(HttpModelTest, RetryAfterBeyondPatienceIsReportedAtOnce) {
  ModelRig rig(Wire::kOpenAi);
  rig.http.Push(Whole(429, kBusy, {{"retry-after", "60"}}));
  auto answer = rig.Complete(ModelRig::Hello());
  EXPECT_EQ(RetryAfterMsOf(answer.status()), 60'000);
  EXPECT_TRUE(rig.waits.empty());
}

TEST(HttpModelTest, TransportErrorsAreTriedAgainButNotAfterADelta) {
  ModelRig rig(Wire::kOpenAi);
  absl::Status reset = MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, "reset");
  FakeReply refused{.open_error = reset};
  FakeReply cut_early = EventStream({": keep-alive\n\n"});
  cut_early.cut = reset;
  rig.http.Push(refused);
  rig.http.Push(cut_early);
  rig.http.Push(EventStream({Events({kDelta, kEnd})}));
  auto answer = rig.Complete(ModelRig::Hello(), &rig.sink);
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_EQ(rig.sink.text, "part");
  EXPECT_EQ(rig.http.requests.size(), 3u);

  FakeReply cut_late = EventStream({Events({kDelta})});
  cut_late.cut = reset;
  rig.http.Push(cut_late);
  answer = rig.Complete(ModelRig::Hello(), &rig.sink);
  EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kTransport);
  EXPECT_EQ(rig.http.requests.size(), 4u);
}

TEST(HttpModelTest, AStreamCutAtAnyByteIsAnErrorOrTheWholeAnswer) {
  std::string body = Events({kDelta, kEnd, "[DONE]"});
  std::size_t finished = Events({kDelta, kEnd}).size();
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    ModelRig rig(Wire::kOpenAi);
    rig.options.max_attempts = 1;
    auto answer = rig.Stream(body.substr(0, cut), Splitting::kEveryByte);
    if (answer.ok()) {
      EXPECT_GE(cut + 2, finished) << cut;
      EXPECT_EQ(TextOf(answer->message), "part");
    } else {
      EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kTransport) << cut;
    }
  }
}

TEST(HttpModelTest, AConnectionLostAfterTheFinishReasonDoesNotMatter) {
  ModelRig rig(Wire::kOpenAi);
  FakeReply reply = EventStream({Events({kDelta, kEnd})});
  reply.cut = Unavailable("reset");
  rig.http.Push(reply);
  EXPECT_TRUE(rig.Complete(ModelRig::Hello(), &rig.sink).ok());
}

TEST(HttpModelTest, AServerThatKeepsTheStreamOpenIsLeft) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.stream_end_grace = 1ms;
  for (std::string last : {"[DONE]", ""}) {
    FakeReply reply = EventStream({Events({kDelta, kEnd, last})});
    reply.hang_body = true;
    rig.http.Push(reply);
    EXPECT_TRUE(rig.Complete(ModelRig::Hello(), &rig.sink).ok());
  }
}

TEST(HttpModelTest, NoFirstByteIsATransportError) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.first_byte_timeout = 1ms;
  rig.options.max_attempts = 2;
  rig.http.Push({.hang_open = true});
  FakeReply silent = EventStream({});
  silent.hang_body = true;
  rig.http.Push(silent);
  auto answer = rig.Complete(ModelRig::Hello(), &rig.sink);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kTransport);
  EXPECT_THAT(std::string(talon::Message(answer.status())), HasSubstr("first_byte_timeout"));
  EXPECT_EQ(rig.http.requests.size(), 2u);
}

TEST(HttpModelTest, SilenceWithinAStreamIsATransportError) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.idle_timeout = 1ms;
  FakeReply half = EventStream({Events({kDelta})});
  half.hang_body = true;
  rig.http.Push(half);
  auto answer = rig.Complete(ModelRig::Hello(), &rig.sink);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kTransport);
  EXPECT_THAT(std::string(talon::Message(answer.status())), HasSubstr("idle_timeout"));
  EXPECT_EQ(rig.http.requests.size(), 1u);  // the caller has seen its beginning
}

TEST(HttpModelTest, AnAnswerThatIsNotStreamedHasItsOwnTotal) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.whole_answer_timeout = 5s;
  rig.options.timeout = 60s;
  (void)rig.Sent(ModelRig::Hello());
  EXPECT_EQ(rig.http.deadlines.back(), rig.clock.steady + 5s);
  rig.http.Push(EventStream({Events({kDelta, kEnd})}));
  EXPECT_TRUE(rig.Complete(ModelRig::Hello(), &rig.sink).ok());
  EXPECT_EQ(rig.http.deadlines.back(), rig.clock.steady + 60s);
}

TEST(HttpModelTest, CancellationEndsTheRequestAndTheWait) {
  ModelRig rig(Wire::kOpenAi);
  CancelSource source;
  rig.context.cancel = source.token();
  rig.http.Push({.hang_open = true});
  rig.loop.Post([&] { source.Cancel(Cancelled("the user stopped it")); });
  auto answer = rig.Complete(ModelRig::Hello(), &rig.sink);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(talon::Message(answer.status())), HasSubstr("the user stopped it"));

  ModelRig waiting(Wire::kOpenAi);
  CancelSource later;
  waiting.context.cancel = later.token();
  waiting.on_sleep = [&] { later.Cancel(Cancelled("stop")); };
  waiting.http.Push(Whole(503, ""));
  answer = waiting.Complete(ModelRig::Hello());
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(waiting.http.requests.size(), 1u);
}

TEST(HttpModelTest, TheDeadlineBoundsAllTries) {
  ModelRig rig(Wire::kOpenAi);
  rig.context.deadline = rig.clock.steady + 300ms;
  rig.options.base_delay = 1000ms;
  rig.http.Push(Whole(503, ""));
  EXPECT_EQ(ReasonOf(rig.Complete(ModelRig::Hello()).status()), ErrorReason::kOverloaded);
  EXPECT_EQ(rig.http.requests.size(), 1u);
}

TEST(HttpModelTest, LimitsOnAnswersAreErrorsThatAreNotTriedAgain) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.max_answer = Bytes{1000};
  rig.options.max_tool_calls = 2;
  auto large = rig.Answer(R"({"choices":[{"message":{"content":")" + std::string(1001, 'x') +
                          R"("},"finish_reason":"stop"}]})");
  EXPECT_EQ(large.status().code(), absl::StatusCode::kResourceExhausted);
  std::string call = R"({"function":{"name":"a","arguments":"{}"}})";
  auto many = rig.Answer(R"({"choices":[{"message":{"tool_calls":[)" + call + "," + call + "," +
                         call + R"(]},"finish_reason":"stop"}]})");
  EXPECT_EQ(many.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(talon::Message(many.status())), HasSubstr("max_tool_calls"));
  auto event = rig.Stream("data: " + std::string(1100, 'x'), Splitting::kOnePiece);
  EXPECT_EQ(event.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rig.http.requests.size(), 3u);
}

TEST(HttpModelTest, ErrorsInsideStreams) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.max_attempts = 1;
  auto context = rig.Stream(
      Events({kDelta, R"({"error":{"message":"boom","type":"server_error","code":500}})"}),
      Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(context.status()), ErrorReason::kOverloaded);
  auto named = rig.Stream("event: error\ndata: {\"message\":\"rate limit reached\"}\n\n",
                          Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(named.status()), ErrorReason::kRateLimited);
  auto field = rig.Stream(
      "error: {\"code\":400,\"message\":\"the request exceeds the available context size\","
      "\"type\":\"exceed_context_size_error\"}\n\n",
      Splitting::kEveryByte);
  EXPECT_EQ(ReasonOf(field.status()), ErrorReason::kContextTooLong);
  auto malformed = rig.Stream("data: {\"choices\": oops\n\n", Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(malformed.status()), ErrorReason::kTransport);
}

TEST(HttpModelTest, ContentTypesThatAreWrongOrMissing) {
  ModelRig rig(Wire::kOpenAi);
  rig.http.Push(Whole(200, Events({kDelta, kEnd, "[DONE]"})));
  auto events = rig.Complete(ModelRig::Hello(), &rig.sink);
  ASSERT_TRUE(events.ok()) << StatusText(events.status());
  EXPECT_EQ(TextOf(events->message), "part");
  rig.http.Push({.pieces = {kGood}});
  auto whole = rig.Complete(ModelRig::Hello(), &rig.sink);
  ASSERT_TRUE(whole.ok()) << StatusText(whole.status());
  EXPECT_EQ(TextOf(whole->message), "ok");
}

TEST(HttpModelTest, WrongAddressesAreExplained) {
  ModelRig rig(Wire::kOpenAi);
  auto html = rig.Answer("<!doctype html><html></html>");
  EXPECT_THAT(std::string(talon::Message(html.status())), HasSubstr("check base_url"));
  EXPECT_EQ(ReasonOf(html.status()), ErrorReason::kBadRequest);
  rig.http.Push(Whole(404, "404 page not found"));
  auto missing = rig.Complete(ModelRig::Hello());
  EXPECT_THAT(std::string(talon::Message(missing.status())), HasSubstr("check base_url"));
  rig.http.Push(Whole(301, "", {{"location", "https://elsewhere.test/"}}));
  auto moved = rig.Complete(ModelRig::Hello());
  EXPECT_THAT(std::string(talon::Message(moved.status())), HasSubstr("https://elsewhere.test/"));
}

TEST(HttpModelTest, ErrorsOfTheClientAreRedacted) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.max_attempts = 1;
  rig.http.Push({.open_error = Unavailable("connect with sk-test-0123456789 failed")});
  auto answer = rig.Complete(ModelRig::Hello());
  EXPECT_EQ(talon::Message(answer.status()),
            "model 'acme/some-model': connect with [redacted] failed");
}

}  // namespace
}  // namespace talon::model
