// SPDX-License-Identifier: Apache-2.0
#include "plugin/stderr_log.h"

#include <gtest/gtest.h>

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;

StderrLine Parse(std::string_view line) {
  bool panicked = false;
  return ParseStderrLine(line, &panicked);
}

class StderrLogTest : public testing::Test {
 protected:
  HostOptions options_;
  std::vector<StderrLine> lines_;
  SteadyTime now_{1000s};
  StderrLog MakeLog() {
    return StderrLog(options_, [this](const StderrLine& line) { lines_.push_back(line); });
  }
};

TEST_F(StderrLogTest, UnderstandsHclogOfAnyType) {
  const auto line = Parse(
      R"({"@level":"warn","@message":"hello","@timestamp":"2026-01-01T00:00:00Z","n":5,"s":"x"})");
  EXPECT_EQ(line.level, log::Level::kInfo);
  EXPECT_EQ(line.text, "hello n=5 s=x");
  EXPECT_EQ(Parse(R"({"@message":5,"@level":[1]})").text, "5");
  EXPECT_EQ(Parse(R"({"@message":"a\nb\u001b[31m"})").text, "a b [31m");
  EXPECT_EQ(Parse(R"({"message":"no hclog"})").text, R"({"message":"no hclog"})");
}

TEST_F(StderrLogTest, UnderstandsPrefixesAndPanics) {
  EXPECT_EQ(Parse("[ERROR] bad").level, log::Level::kInfo);
  EXPECT_EQ(Parse("[ERROR] bad").text, "bad");
  EXPECT_EQ(Parse("[INFO]  fine").level, log::Level::kDebug);
  EXPECT_EQ(Parse("[ERRORS] x").text, "[ERRORS] x");
  EXPECT_EQ(Parse("plain").level, log::Level::kDebug);
  bool panicked = false;
  EXPECT_EQ(ParseStderrLine("panic: boom", &panicked).level, log::Level::kInfo);
  EXPECT_EQ(ParseStderrLine("goroutine 1", &panicked).level, log::Level::kInfo);
}

TEST_F(StderrLogTest, JoinsPiecesAndCutsLongLines) {
  options_.max_log_line = Bytes{10};
  auto log = MakeLog();
  log.Feed("on", now_);
  log.Feed("e\ntwo\n\n0123456789abcdef", now_);
  log.Feed("ghi\nlast", now_);
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_[0].text, "one");
  EXPECT_EQ(lines_[1].text, "two");
  EXPECT_EQ(lines_[2].text, "0123456789");
}

TEST_F(StderrLogTest, AFloodIsCounted) {
  options_.max_log_per_second = Bytes{20};
  auto log = MakeLog();
  for (int i = 0; i < 10; ++i) log.Feed("123456789\n", now_);
  EXPECT_EQ(lines_.size(), 2U);
  log.Feed("later\n", now_ + 1s);
  ASSERT_EQ(lines_.size(), 4U);
  EXPECT_EQ(lines_[2].text, "(80 bytes of its stderr were not logged)");
  EXPECT_EQ(lines_[3].text, "later");
}

TEST_F(StderrLogTest, KeepsTheEnd) {
  auto log = MakeLog();
  for (int i = 0; i < 5000; ++i) log.Feed("line " + std::to_string(i) + "\n", now_);
  log.Feed("\xff the end\n", now_);
  const std::string tail = log.Tail();
  EXPECT_LE(tail.size(), options_.stderr_tail.value);
  EXPECT_TRUE(tail.ends_with("line 4999\n\xEF\xBF\xBD the end")) << tail.substr(tail.size() - 60);
}

}  // namespace
}  // namespace talon::plugin
