// SPDX-License-Identifier: Apache-2.0
#include "io/http_request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace talon::io {
namespace {

using State = RequestParser::State;
using testing::HasSubstr;

constexpr RequestParser::Limits kLimits{.header_bytes = 1024, .body_bytes = 4096};

// Feeds `pieces` as a connection does: what is not taken is offered again with more behind it.
std::unique_ptr<RequestParser> Parse(const std::vector<std::string>& pieces,
                                     std::string* rest = nullptr) {
  auto parser = RequestParser::Create(kLimits);
  std::string pending;
  for (const auto& piece : pieces) {
    pending += piece;
    if (parser->state() == State::kDone || parser->state() == State::kFailed) continue;
    if (!pending.empty()) pending.erase(0, parser->Feed(pending));
  }
  if (rest) *rest = pending;
  return parser;
}

int StatusOf(const std::string& text) {
  auto parser = Parse({text});
  return parser->state() == State::kFailed ? parser->problem().status : 0;
}

const std::string kChunked =
    "POST /a%20b?x=1%202 HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;ext=\"v\"\r\nhello\r\n1\r\n \r\n05\r\nworld\r\n0\r\nX-Late: 1\r\nX-One: 2\r\n\r\n";

void ExpectChunkedRequest(RequestParser& parser) {
  ASSERT_EQ(parser.state(), State::kDone);
  EXPECT_TRUE(parser.keep_alive());
  ServerRequest request = parser.Take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/a%20b?x=1%202");
  EXPECT_EQ(request.path, "/a b");
  EXPECT_EQ(request.query, "x=1%202");
  EXPECT_EQ(request.headers.Get("x-one"), "1");
  EXPECT_FALSE(request.headers.Has("X-Late")) << "trailers are not headers";
  EXPECT_EQ(request.body, "hello world");
}

TEST(RequestParserTest, SplitAnywhereReadsTheSame) {
  for (std::size_t i = 0; i <= kChunked.size(); ++i) {
    std::string rest;
    auto parser = Parse({kChunked.substr(0, i), kChunked.substr(i) + "GET /next"}, &rest);
    ExpectChunkedRequest(*parser);
    EXPECT_EQ(rest, "GET /next");
  }
  std::vector<std::string> bytes;
  for (char c : kChunked) bytes.emplace_back(1, c);
  ExpectChunkedRequest(*Parse(bytes));
}

// The parsing library asserts on a last chunk cut right behind its size.
TEST(RequestParserTest, LastChunkMayArriveByteByByte) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  auto parser = Parse({head, "0\r\n", "\r", "\n"});
  EXPECT_EQ(parser->state(), State::kDone);
}

TEST(RequestParserTest, ReadsTargets) {
  const auto path = [](const std::string& target) {
    auto parser = Parse({"GET " + target + " HTTP/1.1\r\n\r\n"});
    if (parser->state() != State::kDone) return std::string("refused");
    ServerRequest request = parser->Take();
    return request.path + "|" + request.query;
  };
  EXPECT_EQ(path("/"), "/|");
  EXPECT_EQ(path("/a?b?c"), "/a|b?c");
  EXPECT_EQ(path("http://host:1/a?b"), "/a|b");
  EXPECT_EQ(path("http://host"), "/|");
  EXPECT_EQ(path("http://host?q"), "/|q");
  EXPECT_EQ(path("*"), "*|");
  EXPECT_EQ(path("//x://y"), "//x://y|");
  EXPECT_EQ(path("a/b"), "refused");
  EXPECT_EQ(path("host:80"), "refused");
}

TEST(RequestParserTest, RefusesMalformedRequests) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\nHost: h\n\n"), 400);
  EXPECT_EQ(StatusOf("GET /\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET  / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("\x16\x03\x01\x02"), 400) << "a TLS client";
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nNo colon\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nSpace : x\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(std::string("GET / HTTP/1.1\r\nA: x\0y\r\n\r\n", 26)), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("get / HTTP/1.1\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("BREW / HTTP/1.1\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("CONNECT host:1 HTTP/1.1\r\n\r\n"), 501);
}

TEST(RequestParserTest, RefusesBodiesWhoseEndIsAmbiguous) {
  const auto with = [](const std::string& headers) {
    return StatusOf("POST / HTTP/1.1\r\n" + headers + "\r\n\r\n");
  };
  EXPECT_EQ(with("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(with("Transfer-Encoding: chunked\r\nContent-Length: 3"), 400);
  EXPECT_EQ(with("Content-Length: 3\r\nContent-Length: 4"), 400);
  EXPECT_EQ(with("Content-Length: 3, 4"), 400);
  EXPECT_EQ(with("Content-Length: -1"), 400);
  EXPECT_EQ(with("Content-Length: +1"), 400);
  EXPECT_EQ(with("Content-Length: 0x10"), 400);
  EXPECT_EQ(with("Content-Length: 99999999999999999999"), 400);
  EXPECT_EQ(with("Content-Length: "), 400);
  EXPECT_EQ(with("Transfer-Encoding: gzip"), 501);
  EXPECT_EQ(with("Transfer-Encoding: gzip, chunked"), 501);
  EXPECT_EQ(with("Transfer-Encoding: chunked, identity"), 501);
  EXPECT_EQ(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400);
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
}

TEST(RequestParserTest, RefusesBadChunks) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(StatusOf(head + "zz\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "-1\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "ffffffffffffffffff\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "3\r\nabcd\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "3;" + std::string(2000, 'x')), 400);
  EXPECT_EQ(StatusOf(head + "0\r\nX: " + std::string(2000, 'x')), 400);
}

TEST(RequestParserTest, LimitsTheHeader) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nA: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nA: " + std::string(2000, 'x')), 431);
  EXPECT_EQ(StatusOf("GET /" + std::string(2000, 'x')), 431);
  // In pieces that each stay below the limit.
  std::vector<std::string> pieces = {"GET / HTTP/1.1\r\n"};
  for (int i = 0; i < 300; ++i) pieces.emplace_back("A: b\r\n");
  auto parser = Parse(pieces);
  ASSERT_EQ(parser->state(), State::kFailed);
  EXPECT_EQ(parser->problem().status, 431);
  EXPECT_THAT(parser->problem().message, HasSubstr("1024 bytes"));
}

TEST(RequestParserTest, LimitsTheBody) {
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nContent-Length: 4097\r\n\r\n"), 413);
  const std::string chunk = "400\r\n" + std::string(1024, 'x') + "\r\n";
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(StatusOf(head + chunk + chunk + chunk + chunk + "0\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf(head + chunk + chunk + chunk + chunk + "1\r\n"), 413);
  EXPECT_EQ(StatusOf(head + "ffffffffffffffff\r\n"), 413);
}

TEST(RequestParserTest, SurvivesMutatedRequests) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text = kChunked;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
    std::vector<std::string> pieces;
    while (!text.empty()) {
      const std::size_t n = 1 + random() % text.size();
      pieces.push_back(text.substr(0, n));
      text.erase(0, n);
    }
    auto parser = Parse(pieces);
    if (parser->state() == State::kFailed) {
      EXPECT_GE(parser->problem().status, 400);
      EXPECT_FALSE(parser->problem().message.empty());
    }
  }
}

}  // namespace
}  // namespace talon::io
