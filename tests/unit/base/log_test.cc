// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "base/secret.h"

namespace talon {
namespace {

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { log::Configure(log::Level::kInfo, log::Format::kAuto, nullptr); }

  template <class Statement>
  static std::string Written(Statement statement) {
    ::testing::internal::CaptureStderr();
    statement();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, JsonLineParses) {
  log::Configure(log::Level::kInfo, log::Format::kJson, nullptr);
  const std::string line = Written(
      [] { log::Warn("plugin \"x\" crashed", {{"plugin", "a\nb\xFF"}, {"exit_code", 3}}); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto json = ParseJson(line, "line");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(JsonString(*json, "level"), "warn");
  EXPECT_EQ(JsonString(*json, "message"), "plugin \"x\" crashed");
  EXPECT_EQ(JsonString(*json, "plugin"), "a\nb\uFFFD");
  EXPECT_EQ(JsonString(*json, "time").size(), 24u);
  EXPECT_NE(JsonFind(*json, "exit_code"), nullptr);
}

TEST_F(LogTest, AutoIsJsonWithoutATerminal) {
  const std::string line = Written([] {
    log::Configure(log::Level::kInfo, log::Format::kAuto, nullptr);
    log::Info("started");
  });
  EXPECT_TRUE(line.starts_with('{')) << line;
}

TEST_F(LogTest, TextLineQuotesWhatCouldMislead) {
  log::Configure(log::Level::kInfo, log::Format::kText, nullptr);
  const std::string line = Written(
      [] { log::Error("store failed", {{"path", "/a"}, {"reason", "disk full"}, {"code", 5}}); });
  EXPECT_NE(line.find("error"), std::string::npos);
  EXPECT_NE(line.find("store failed path=/a reason=\"disk full\" code=5\n"), std::string::npos)
      << line;
}

TEST_F(LogTest, NothingLoggedDrivesATerminalOrForgesALine) {
  for (const log::Format format : {log::Format::kText, log::Format::kJson}) {
    log::Configure(log::Level::kInfo, format, nullptr);
    const std::string line = Written(
        [] { log::Info("a\x1B[2Jb\nforged", {{"v", "\x1B]0;t\x07\x7F\r"}, {"c1", "\u009B2J"}}); });
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_EQ(line.find_first_of("\x1B\x07\x7F\r"), std::string::npos) << line;
    EXPECT_EQ(line.find("\u009B"), std::string::npos) << line;
  }
}

TEST_F(LogTest, SecretsDoNotPassInMessageOrValue) {
  Redactor redactor;
  redactor.Register(Secret("sk-\"quoted\"\\key"));
  redactor.Register(Secret("plain-secret"));
  for (const log::Format format : {log::Format::kText, log::Format::kJson}) {
    log::Configure(log::Level::kInfo, format, &redactor);
    const std::string line = Written([] {
      log::Info("got plain-secret", {{"a", "x sk-\"quoted\"\\key"}, {"b", "plain-secret"}});
    });
    EXPECT_EQ(line.find("plain-secret"), std::string::npos) << line;
    EXPECT_EQ(line.find("quoted"), std::string::npos) << line;
    EXPECT_NE(line.find("[redacted]"), std::string::npos) << line;
  }
}

TEST_F(LogTest, LevelFilters) {
  log::Configure(log::Level::kWarn, log::Format::kText, nullptr);
  EXPECT_EQ(Written([] { log::Info("quiet"); }), "");
  log::SetLevel(log::Level::kDebug);
  EXPECT_NE(Written([] { log::Debug("loud"); }).find("loud"), std::string::npos);
  log::SetLevel(log::Level::kOff);
  EXPECT_EQ(Written([] { log::Error("quiet"); }), "");
  EXPECT_FALSE(log::Enabled(log::Level::kError));
}

}  // namespace
}  // namespace talon
