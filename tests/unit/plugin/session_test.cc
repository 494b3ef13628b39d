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
      TakeAnswers();
      if (out.empty() && back.empty()) return;
    }
  }
  void TakeAnswers() {
    std::erase_if(unary_, [this](const auto& call) {
      const auto& [id, result] = call;
      auto next = session_.Next(id);
      if (!next) return false;
      if (next->ok() && **next) {
        result->emplace(***std::move(next));
        return false;  // until its end
      }
      if (!next->ok()) result->emplace(next->status());
      session_.Close(id);
      return true;
    });
  }
  void Cancel(std::int32_t id) {
    session_.Close(id);
    std::erase_if(unary_, [id](const auto& call) { return call.first == id; });
  }
  // A unary call.
  std::int32_t Submit(std::string request, std::optional<Result>* result,
                      std::string_view timeout = "") {
    const auto id = *session_.Open("/talon.v1.Plugin/Execute", timeout, [] {});
    EXPECT_TRUE(session_.Write(id, std::move(request)).ok());
    session_.CloseWrites(id);
    unary_.emplace_back(id, result);
    return id;
  }
  static TransportLimits SmallLimits() {
    TransportLimits limits;
    limits.max_message_bytes = 1 << 20;
    limits.max_calls = 300;
    return limits;
  }

  Session session_{SmallLimits()};
  std::vector<std::pair<std::int32_t, std::optional<Result>*>> unary_;
  std::unique_ptr<FakeH2Server> server_ = std::make_unique<FakeH2Server>();
};

TEST_F(SessionTest, SendsAGrpcRequest) {
  EXPECT_FALSE(session_.ready());
  std::optional<Result> result;
  const auto id = Submit("body", &result, "500m");
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
  const auto more = session_.Open("/s/M", "", [] {});
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  Session other(SmallLimits());
  const auto id = *other.Open("/s/M", "", [] {});
  const absl::Status large = other.Write(id, std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(other.Write(id, "small").ok());
}

TEST_F(SessionTest, CancelResetsBeforeAndAfterTheRequestLeft) {
  std::optional<Result> never;
  std::optional<Result> result;
  const auto unsent = Submit("x", &never);
  Cancel(unsent);
  const auto sent = Submit("x", &never);
  Exchange();
  EXPECT_FALSE(server_->requests().contains(unsent) && server_->requests().at(unsent).ended);
  Cancel(sent);
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
  const auto more = session_.Open("/s/M", "", [] {});
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
  TakeAnswers();
  EXPECT_EQ(ReasonOf(result->status()), ErrorReason::kPluginMisbehaved);
}

TEST_F(SessionTest, AStreamHasMessagesEachWay) {
  int changes = 0;
  const auto id = *session_.Open("/s/M", "", [&] { ++changes; });
  Exchange();
  EXPECT_FALSE(server_->requests().at(id).ended);
  EXPECT_FALSE(session_.Next(id));
  server_->Begin(id);
  Exchange();
  EXPECT_EQ(changes, 0);
  for (const std::string text : {"one", "two"}) {
    ASSERT_TRUE(session_.Write(id, text).ok());
    EXPECT_TRUE(session_.writing(id));
    Exchange();
    EXPECT_FALSE(session_.writing(id));
    EXPECT_TRUE(server_->requests().at(id).body.ends_with(text));
    server_->Send(id, "re: " + text);
    Exchange();
    EXPECT_EQ(session_.Next(id)->value(), "re: " + text);
    EXPECT_FALSE(session_.Next(id));
  }
  EXPECT_EQ(changes, 4);
  session_.CloseWrites(id);
  session_.CloseWrites(id);
  EXPECT_EQ(session_.Write(id, "late").code(), absl::StatusCode::kFailedPrecondition);
  Exchange();
  EXPECT_TRUE(server_->requests().at(id).ended);
  EXPECT_EQ(session_.calls(), 1U);
  server_->Finish(id, {{"grpc-status", "0"}});
  Exchange();
  EXPECT_EQ(session_.Next(id)->value(), std::nullopt);
  EXPECT_EQ(session_.calls(), 0U);
  session_.Close(id);
  EXPECT_FALSE(server_->requests().at(id).reset);
}

TEST_F(SessionTest, APeerThatEndsFirstEndsOurWritesToo) {
  server_ = std::make_unique<FakeH2Server>(100, 10);
  session_.Receive(server_->Produce());
  const auto id = *session_.Open("/s/M", "", [] {});
  ASSERT_TRUE(session_.Write(id, std::string(1 << 19, 'x')).ok());
  std::string out;
  session_.Produce(out, 1 << 20);
  ASSERT_TRUE(session_.writing(id));
  server_->Receive(out);
  server_->Begin(id);
  server_->Send(id, "enough");
  server_->Finish(id, {{"grpc-status", "0"}});
  Exchange();
  EXPECT_FALSE(session_.writing(id));
  EXPECT_EQ(session_.Write(id, "more").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(session_.Next(id)->value(), "enough");
  EXPECT_EQ(session_.Next(id)->value(), std::nullopt);
  EXPECT_TRUE(server_->requests().at(id).reset);
}

TEST_F(SessionTest, WhatNobodyReadsStopsThatCallOnly) {
  const auto slow = *session_.Open("/s/M", "", [] {});
  Exchange();
  server_->Begin(slow);
  constexpr std::size_t kMessages = 64;
  const std::string message(64 << 10, 'x');
  for (std::size_t i = 0; i < kMessages; ++i) server_->Send(slow, message);
  server_->Finish(slow, {{"grpc-status", "0"}});
  Exchange();
  EXPECT_LE(server_->SentBytes(slow), 256U << 10);
  // More than the connection's window passes by it.
  for (int i = 0; i < 10; ++i) {
    std::optional<Result> result;
    const auto id = Submit("x", &result);
    Exchange();
    server_->Answer(id, std::string(1 << 20, 'y'));
    Exchange();
    ASSERT_TRUE(result && result->ok());
  }
  EXPECT_LE(server_->SentBytes(slow), 256U << 10);
  for (std::size_t i = 0; i < kMessages; ++i) {
    auto next = session_.Next(slow);
    if (!next) Exchange(), next = session_.Next(slow);
    ASSERT_TRUE(next && next->ok()) << i;
    EXPECT_EQ((*next)->value().size(), message.size());
    Exchange();
  }
  EXPECT_EQ(session_.Next(slow)->value(), std::nullopt);
}

TEST_F(SessionTest, ManyStreamsAtOnce) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 64; ++i) ids.push_back(*session_.Open("/s/M", "", [] {}));
  Exchange();
  for (const auto id : ids) server_->Begin(id);
  for (int round = 0; round < 3; ++round) {
    for (const auto id : ids) ASSERT_TRUE(session_.Write(id, std::to_string(id)).ok());
    Exchange();
    for (const auto id : ids) server_->Send(id, std::to_string(id));
    Exchange();
    for (const auto id : ids) EXPECT_EQ(session_.Next(id)->value(), std::to_string(id));
  }
  session_.Fail(absl::UnavailableError("the end"));
  for (const auto id : ids) {
    EXPECT_EQ(session_.Next(id)->status().code(), absl::StatusCode::kUnavailable);
    session_.Close(id);
  }
  EXPECT_EQ(session_.calls(), 0U);
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
