// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/reply.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <vector>

#include "base/status.h"
#include "plugin/h2/wire.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kMaxMessage = 100;
constexpr std::size_t kMaxHeaders = 1000;

std::string Framed(std::string_view message, char flag = 0) {
  std::string framed{flag, 0, 0, static_cast<char>(message.size() >> 8),
                     static_cast<char>(message.size())};
  return framed.append(message);
}

// A reply that has seen good headers.
Reply Begun() {
  Reply reply(kMaxMessage, kMaxHeaders);
  reply.Header(":status", "200");
  reply.Header("content-type", "application/grpc+proto");
  reply.HeadersEnd();
  return reply;
}

// The one message of a reply that is done.
absl::StatusOr<std::string> Take(Reply& reply) {
  auto first = reply.Next();
  if (!first) return Internal("undecided");
  if (!first->ok()) return first->status();
  if (!**first) return NotFound("no message");
  const auto end = reply.Next();
  if (!end) return Internal("undecided");
  if (!end->ok()) return end->status();
  if (**end) return Internal("a second message");
  return ***first;
}

void EndWith(Reply& reply, std::string_view status, std::string_view message = "") {
  reply.Header("grpc-status", status);
  if (!message.empty()) reply.Header("grpc-message", message);
  reply.StreamEnd();
}

void ExpectMisbehaved(Reply& reply, std::string_view text) {
  ASSERT_TRUE(reply.done());
  const auto result = Take(reply);
  EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kPluginMisbehaved) << result.status();
  EXPECT_NE(Message(result.status()).find(text), std::string_view::npos) << result.status();
}

TEST(ReplyTest, TakesMessagesInAnyPieces) {
  const std::string wire = Framed("hello") + Framed("") + Framed("world");
  for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
    Reply reply = Begun();
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      reply.Data(std::string_view(wire).substr(at, piece));
      while (auto next = reply.Next()) messages.push_back(**std::move(next).value());
    }
    EXPECT_FALSE(reply.done());
    EXPECT_EQ(messages, (std::vector<std::string>{"hello", "", "world"})) << piece;
    EXPECT_EQ(reply.TakeUsedBytes(), wire.size());
    EndWith(reply, "0");
    EXPECT_TRUE(reply.awaited());
    const auto end = reply.Next();
    ASSERT_TRUE(end && end->ok());
    EXPECT_FALSE((*end)->has_value());
  }
}

TEST(ReplyTest, WhatNobodyWantsIsNotUsed) {
  Reply reply = Begun();
  for (int i = 0; i < 100; ++i) reply.Data(Framed("hello"));
  EXPECT_EQ(reply.TakeUsedBytes(), 0U);
  EXPECT_FALSE(reply.awaited());
  EXPECT_EQ(**reply.Next().value(), "hello");
  EXPECT_EQ(reply.TakeUsedBytes(), 10U);
  EndWith(reply, "0");
  for (int i = 1; i < 100; ++i) EXPECT_EQ(**reply.Next().value(), "hello");
  EXPECT_FALSE((*reply.Next().value()).has_value());
}

TEST(ReplyTest, MessagesBeforeAnErrorAreGiven) {
  Reply reply = Begun();
  reply.Data(Framed("hello"));
  EndWith(reply, "10", "enough");
  EXPECT_EQ(**reply.Next().value(), "hello");
  EXPECT_EQ(reply.Next().value().status().code(), absl::StatusCode::kAborted);
  Reply reset = Begun();
  reset.Data(Framed("hello"));
  reset.Reset(NGHTTP2_CANCEL);
  EXPECT_EQ(reset.Next().value().status().code(), absl::StatusCode::kCancelled);
}

TEST(ReplyTest, AnEmptyMessageIsAMessage) {
  Reply reply = Begun();
  reply.Data(Framed(""));
  EndWith(reply, "0");
  EXPECT_EQ(*Take(reply), "");
}

TEST(ReplyTest, InformationalHeadersAreSkipped) {
  Reply reply(kMaxMessage, kMaxHeaders);
  reply.Header(":status", "103");
  reply.HeadersEnd();
  reply.Header(":status", "200");
  reply.Header("content-type", "application/grpc");
  reply.HeadersEnd();
  reply.Data(Framed("x"));
  EndWith(reply, "0");
  EXPECT_EQ(*Take(reply), "x");
}

TEST(ReplyTest, StatusAndDecodedMessage) {
  Reply reply = Begun();
  EndWith(reply, "5", "no%20such%0athing: na%C3%AFve 100%");
  const auto result = Take(reply);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(result.status()), "no such thing: naïve 100%");
  EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kNone);
}

TEST(ReplyTest, TrailersAlone) {
  Reply reply(kMaxMessage, kMaxHeaders);
  reply.Header(":status", "200");
  reply.Header("content-type", "application/grpc");
  EndWith(reply, "12", "unknown%20method");
  EXPECT_EQ(Take(reply).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ReplyTest, HttpStatusWithoutGrpcStatus) {
  Reply reply(kMaxMessage, kMaxHeaders);
  reply.Header(":status", "404");
  reply.Header("content-type", "text/plain");
  reply.HeadersEnd();
  EXPECT_EQ(Take(reply).status().code(), absl::StatusCode::kUnimplemented);
  Reply ended(kMaxMessage, kMaxHeaders);
  ended.Header(":status", "503");
  ended.StreamEnd();
  EXPECT_EQ(Take(ended).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ReplyTest, TooLongIsRefusedAtThePrefix) {
  Reply reply = Begun();
  EXPECT_FALSE(reply.Next());
  reply.Data(std::string_view("\0\xff\xff\xff\xff", 5));
  EXPECT_EQ(Take(reply).status().code(), absl::StatusCode::kResourceExhausted);
  ExpectMisbehaved(reply, "exceeds the limit of 100");
}

TEST(ReplyTest, BrokenAnswers) {
  {
    Reply reply = Begun();
    EXPECT_FALSE(reply.Next());
    reply.Data(Framed("x", 1));
    ExpectMisbehaved(reply, "compressed");
  }
  {
    Reply reply = Begun();
    reply.Data(Framed("cut short").substr(0, 9));
    EndWith(reply, "0");
    ExpectMisbehaved(reply, "incomplete");
  }
  for (const std::string_view status : {"", "17", "-1", "x", "00000000000000000000"}) {
    Reply reply = Begun();
    reply.Data(Framed("x"));
    EndWith(reply, status);
    ASSERT_TRUE(reply.done());
    if (status.size() < 3) ExpectMisbehaved(reply, "no valid gRPC status");
  }
  {
    Reply reply = Begun();
    reply.Data(Framed("x"));
    reply.StreamEnd();
    ExpectMisbehaved(reply, "without a status");
  }
  {
    Reply reply(kMaxMessage, kMaxHeaders);
    reply.Data(Framed("x"));
    ExpectMisbehaved(reply, "before its headers");
  }
  {
    Reply reply(kMaxMessage, kMaxHeaders);
    reply.Header(":status", "200");
    reply.Header("content-type", "application/grpc-web");
    reply.HeadersEnd();
    ExpectMisbehaved(reply, "content type");
  }
  {
    Reply reply(kMaxMessage, kMaxHeaders);
    for (int i = 0; i < 50; ++i) reply.Header("x-long", "a value of some length");
    ExpectMisbehaved(reply, "headers exceed");
  }
}

TEST(ReplyTest, ResetByThePeer) {
  Reply refused = Begun();
  refused.Reset(NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(Take(refused).status().code(), absl::StatusCode::kUnavailable);
  Reply broken = Begun();
  broken.Reset(NGHTTP2_INTERNAL_ERROR);
  ExpectMisbehaved(broken, "reset");
}

TEST(WireTest, TimeoutsHaveEightDigitsAndRoundUp) {
  using namespace std::chrono_literals;
  EXPECT_EQ(EncodeTimeout(1ns), "1u");
  EXPECT_EQ(EncodeTimeout(1500ns), "2u");
  EXPECT_EQ(EncodeTimeout(30s), "30000000u");
  EXPECT_EQ(EncodeTimeout(100s), "100000m");
  EXPECT_EQ(EncodeTimeout(std::chrono::hours(48)), "172800S");
  EXPECT_EQ(EncodeTimeout(std::chrono::hours(24 * 365 * 200)), "1752000H");
}

TEST(WireTest, MessagesBecomeOneCleanLine) {
  EXPECT_EQ(DecodeMessage("a%00b%1bc"), "a b c");
  EXPECT_EQ(DecodeMessage("%ff"), "\xEF\xBF\xBD");
  EXPECT_LE(DecodeMessage(std::string(100'000, 'x')).size(), 1024U);
}

}  // namespace
}  // namespace talon::plugin::h2
