// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/session.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "fake_h2_server.h"

namespace talon::plugin::h2 {
namespace {

using Result = absl::StatusOr<std::string>;

// A client's session and a server's, wired together in memory.
class SessionTest : public testing::Test {
 protected:
  void Exchange() {
    while (true) {
      std::string out;
      session_.Produce(out, 1 << 20);
      if (!out.empty()) server_->Receive(out);
      const std::string back = server_->Produce();
      if (!back.empty()) session_.Receive(back);
      if (out.empty() && back.empty()) return;
    }
  }
  std::int32_t Submit(std::string request, std::optional<Result>* result) {
    return *session_.Submit("/s/M", std::move(request), "",
                            [result](Result value) { result->emplace(std::move(value)); });
  }
  static TransportLimits SmallLimits() {
    TransportLimits limits;
    limits.max_message_bytes = 1 << 20;
    limits.max_calls = 300;
    return limits;
  }

  Session session_{SmallLimits()};
  std::unique_ptr<FakeH2Server> server_ = std::make_unique<FakeH2Server>();
};

TEST_F(SessionTest, SendsAGrpcRequest) {
  EXPECT_FALSE(session_.ready());
  std::optional<Result> result;
  const auto id = *session_.Submit("/talon.v1.Plugin/Execute", "body", "500m",
                                   [&](Result value) { result.emplace(std::move(value)); });
  Exchange();
  EXPECT_TRUE(session_.ready());
  const auto& request = server_->requests().at(id);
  EXPECT_TRUE(request.ended);
  EXPECT_EQ(request.body, std::string("\0\0\0\0\4body", 9));
  const HeaderList expected = {{":method", "POST"},
                               {":scheme", "http"},
                               {":path", "/talon.v1.Plugin/Execute"},
                               {":authority", "localhost"},
                               {"te", "trailers"},
                               {"content-type", "application/grpc"},
                               {"user-agent", "grpc-c++-talon"},
                               {"grpc-accept-encoding", "identity"},
                               {"grpc-timeout", "500m"}};
  EXPECT_EQ(request.headers, expected);
  server_->Answer(id, "reply");
  Exchange();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(**result, "reply");
  EXPECT_EQ(session_.calls(), 0U);
  EXPECT_TRUE(session_.end().ok());
}

TEST_F(SessionTest, LargeMessagesPassSmallWindows) {
  server_ = std::make_unique<FakeH2Server>(100, 100);
  std::optional<Result> result;
  const std::string large(1 << 20, 'x');
  const auto id = Submit(large, &result);
  Exchange();
  ASSERT_TRUE(server_->requests().at(id).ended);
  EXPECT_EQ(server_->requests().at(id).body.size(), large.size() + 5);
  server_->Answer(id, large);
  Exchange();
  ASSERT_TRUE(result.has_value() && result->ok());
  EXPECT_EQ(**result, large);
}

TEST_F(SessionTest, ThePeersLimitOfStreamsQueuesCalls) {
  server_ = std::make_unique<FakeH2Server>(3);
  Exchange();
  std::vector<std::optional<Result>> results(20);
  for (auto& result : results) Submit("x", &result);
  std::size_t answered = 0;
  while (answered < results.size()) {
    Exchange();
    const auto& requests = server_->requests();
    ASSERT_LE(requests.size(), answered + 3);
    ASSERT_GT(requests.size(), answered);
    const auto next = std::next(requests.begin(), static_cast<long>(answered));
    server_->Answer(next->first, "y");
    ++answered;
  }
  Exchange();
  EXPECT_TRUE(std::ranges::all_of(results, [](const auto& r) { return r && r->ok(); }));
}

TEST_F(SessionTest, TooManyCallsAndTooLargeRequestsAreRefused) {
  std::vector<std::optional<Result>> results(300);
  for (auto& result : results) Submit("x", &result);
  const auto more = session_.Submit("/s/M", "x", "", [](Result) {});
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  Session other(SmallLimits());
  const auto large = other.Submit("/s/M", std::string((1 << 20) + 1, 'x'), "", [](Result) {});
  EXPECT_EQ(large.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(SessionTest, CancelResetsBeforeAndAfterTheRequestLeft) {
  std::optional<Result> never;
  std::optional<Result> result;
  const auto unsent = Submit("x", &never);
  session_.Cancel(unsent);
  const auto sent = Submit("x", &never);
  Exchange();
  EXPECT_FALSE(server_->requests().contains(unsent) && server_->requests().at(unsent).ended);
  session_.Cancel(sent);
  session_.Cancel(sent);
  Exchange();
  EXPECT_TRUE(server_->requests().at(sent).reset);
  EXPECT_FALSE(never.has_value());
  const auto id = Submit("x", &result);
  Exchange();
  server_->Answer(id, "fine");
  Exchange();
  EXPECT_EQ(**result, "fine");
}

TEST_F(SessionTest, TooLargeAnAnswerIsResetAtItsPrefix) {
  std::optional<Result> result;
  const auto id = Submit("x", &result);
  Exchange();
  server_->Answer(id, std::string((1 << 20) + 1, 'x'));
  Exchange();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(server_->requests().at(id).reset);
  EXPECT_TRUE(session_.end().ok());
}

TEST_F(SessionTest, AnAnswerBeforeTheRequestIsReadEndsIt) {
  server_ = std::make_unique<FakeH2Server>(100, 10);
  std::string out;
  session_.Receive(server_->Produce());
  std::optional<Result> result;
  const auto id = Submit(std::string(1000, 'x'), &result);
  session_.Produce(out, 1 << 20);
  server_->Receive(out);
  server_->TrailersOnly(id, {{":status", "200"},
                             {"content-type", "application/grpc"},
                             {"grpc-status", "8"},
                             {"grpc-message", "enough"}});
  Exchange();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(server_->requests().at(id).reset);
}

TEST_F(SessionTest, ResetsAreMapped) {
  for (const auto& [error, code] : std::vector<std::pair<std::uint32_t, absl::StatusCode>>{
           {NGHTTP2_REFUSED_STREAM, absl::StatusCode::kUnavailable},
           {NGHTTP2_CANCEL, absl::StatusCode::kCancelled},
           {NGHTTP2_ENHANCE_YOUR_CALM, absl::StatusCode::kResourceExhausted},
           {NGHTTP2_NO_ERROR, absl::StatusCode::kInternal}}) {
    std::optional<Result> result;
    const auto id = Submit("x", &result);
    Exchange();
    server_->Reset(id, error);
    Exchange();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->status().code(), code) << error;
  }
}

TEST_F(SessionTest, GoAwayLetsEarlierCallsEndAndRefusesLaterOnes) {
  std::optional<Result> served;
  std::optional<Result> refused;
  const auto id = Submit("x", &served);
  Submit("x", &refused);
  Exchange();
  server_->GoAway(id);
  Exchange();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(served.has_value());
  EXPECT_TRUE(session_.draining());
  EXPECT_TRUE(session_.end().ok());
  const auto more = session_.Submit("/s/M", "x", "", [](Result) {});
  EXPECT_EQ(more.status().code(), absl::StatusCode::kUnavailable);
  server_->Answer(id, "last");
  Exchange();
  EXPECT_EQ(**served, "last");
  EXPECT_EQ(ReasonOf(session_.end()), ErrorReason::kPluginCrashed);
}

TEST_F(SessionTest, HeadersInTheMiddleEndThatCallOnly) {
  std::optional<Result> result;
  const auto id = Submit("x", &result);
  Exchange();
  server_->AnswerWith(id, {{":status", "200"}, {"content-type", "text/html"}}, "<html>", {});
  Exchange();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(ReasonOf(result->status()), ErrorReason::kPluginMisbehaved);
  EXPECT_TRUE(session_.end().ok());
}

TEST_F(SessionTest, NoHttp2IsSaid) {
  std::optional<Result> result;
  Submit("x", &result);
  std::string out;
  session_.Produce(out, 1 << 20);
  session_.Receive("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  session_.Produce(out, 1 << 20);
  const absl::Status end = session_.end();
  EXPECT_EQ(ReasonOf(end), ErrorReason::kPluginMisbehaved);
  EXPECT_NE(Message(end).find("HTTP/2"), std::string_view::npos) << end;
  session_.Fail(end);
  EXPECT_EQ(ReasonOf(result->status()), ErrorReason::kPluginMisbehaved);
}

TEST_F(SessionTest, ProducesNoMoreThanAsked) {
  server_ = std::make_unique<FakeH2Server>(100, 1 << 30);
  Exchange();
  std::optional<Result> result;
  Submit(std::string(1 << 20, 'x'), &result);
  std::string out;
  session_.Produce(out, 1000);
  EXPECT_LT(out.size(), 40'000U);
}

}  // namespace
}  // namespace talon::plugin::h2
