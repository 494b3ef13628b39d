// SPDX-License-Identifier: Apache-2.0
#include "cli/approval_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "cli/approval_text.h"

namespace talon::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using Word = ApprovalAnswer::Word;

constexpr const char* kReason = "path 'a.txt' comes from the result of files__read in message 2";

// A write where something from outside told it to.
Json Asked() {
  return {{"approval", "apr_1"},
          {"tool", "files__write"},
          {"arguments", R"({"content":"it's\nso","path":"a.txt"})"},
          {"reason", kReason},
          {"factor", "click"},
          {"state", "open"},
          {"agent", "main"},
          {"created_at", "2026-03-01T10:00:00.500Z"},
          {"expires_at", "2026-03-01T11:00:00.500Z"},
          {"judgement",
           {{"context", "untrusted"},
            {"outside", {"the result of files__read in message 2"}},
            {"sinks",
             {{{"argument", "path"},
               {"kind", "path"},
               {"value", "a.txt"},
               {"answer", "ask"},
               {"rule", "writing where the person said"},
               {"why", kReason},
               {"parts",
                {{{"what", "path"},
                  {"text", "a.txt"},
                  {"source", "untrusted"},
                  {"found_in", {"the result of files__read in message 2"}}}}}}}}}}};
}

class ApprovalFormTest : public testing::Test {
 protected:
  ApprovalAnswer Ask(const Json& approval, std::deque<std::string> lines) {
    shown_.clear();
    prompts_.clear();
    return AskApproval(
        approval,
        [&](const std::string& prompt) -> std::optional<std::string> {
          prompts_.push_back(prompt);
          if (lines.empty()) return std::nullopt;
          std::string line = lines.front() + "\n";
          lines.pop_front();
          return line;
        },
        [&](const std::string& text) { shown_ += text + "\n"; });
  }
  std::string shown_;
  std::vector<std::string> prompts_;
};

TEST_F(ApprovalFormTest, TheCallItsReasonAndWhyNowAreTold) {
  EXPECT_EQ(Ask(Asked(), {"y"}).word, Word::kOnce);
  EXPECT_THAT(shown_, HasSubstr("  files__write\n    content = \"it's\\nso\"\n"));
  EXPECT_THAT(shown_, HasSubstr("    path = \"a.txt\"\n"));
  EXPECT_THAT(shown_, HasSubstr("why now: this conversation has read what others wrote: the result "
                                "of files__read in message 2"));
  EXPECT_THAT(shown_, Not(HasSubstr("plugin")));
  const std::size_t at = shown_.find(kReason);  // once
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(shown_.find(kReason, at + 1), std::string::npos);
}

TEST_F(ApprovalFormTest, OnlyYesOrNoAreAnswers) {
  for (const char* yes : {"y", " YES "}) EXPECT_EQ(Ask(Asked(), {yes}).word, Word::kOnce);
  for (const char* no : {"n", "No"}) EXPECT_EQ(Ask(Asked(), {no, "y"}).word, Word::kDeny);
  EXPECT_EQ(Ask(Asked(), {"", "sure", "yy", "ja", "y"}).word, Word::kOnce);
  EXPECT_EQ(prompts_.size(), 5u);
  EXPECT_EQ(Ask(Asked(), {}).word, Word::kDeny);
  EXPECT_EQ(Ask(Asked(), {"perhaps"}).word, Word::kDeny);  // then Ctrl-C
}

TEST_F(ApprovalFormTest, AQuestionMarkExplainsAndAsksAgain) {
  EXPECT_EQ(Ask(Asked(), {"?", "n"}).word, Word::kDeny);
  EXPECT_THAT(shown_, HasSubstr("docs/guard.md"));
  Ask(Asked(), {"n"});
  EXPECT_THAT(shown_, Not(HasSubstr("docs/guard.md")));
}

TEST_F(ApprovalFormTest, TheGrantThatIsOfferedIsShown) {
  EXPECT_EQ(Ask(Asked(), {"a"}).word, Word::kAlways);
  EXPECT_THAT(shown_,
              HasSubstr("talon grants add files__write 'content=*' 'path=a.txt' --hours 24"));
  Json no_grant = Asked();
  no_grant["judgement"]["sinks"][0].erase("argument");
  EXPECT_EQ(Ask(no_grant, {"a", "n"}).word, Word::kDeny);
  EXPECT_THAT(shown_, Not(HasSubstr("grants add")));
}

TEST_F(ApprovalFormTest, ACodeIsAskedForAndMayBeDenied) {
  Json approval = Asked();
  approval["factor"] = "code";
  approval["code_at"] = "the file run/approvals/apr_1";
  EXPECT_EQ(Ask(approval, {"", " 123456 "}).code, "123456");
  EXPECT_THAT(shown_, HasSubstr("The code is in the file run/approvals/apr_1."));
  EXPECT_THAT(shown_, Not(HasSubstr("grants add")));
  EXPECT_EQ(Ask(approval, {"n"}).word, Word::kDeny);
  EXPECT_EQ(Ask(approval, {}).word, Word::kDeny);
}

TEST_F(ApprovalFormTest, NothingMovesTheCursor) {
  Json approval = Asked();
  approval["reason"] = "a\x1b[2J";
  approval["arguments"] = R"({"path":"\u001b[2J"})";
  Ask(approval, {"?", "n"});
  EXPECT_EQ(shown_.find('\x1b'), std::string::npos);
}

TEST(GrantForTest, GoalsStayAsTheyAreAndTextsAreFree) {
  const auto grant = GrantFor(Asked());
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ((*grant)["arguments"], Json({{"content", "*"}, {"path", "a.txt"}}));
  EXPECT_EQ((*grant)["tool"], "files__write");
  EXPECT_EQ((*grant)["agent"], "main");
}

TEST(GrantForTest, WhatIsNoTextOrSaysNothingIsNotFree) {
  Json approval = Asked();
  approval["arguments"] = R"({"path":"a.txt","folder":".","note":"","force":true,"n":3})";
  EXPECT_EQ(
      (*GrantFor(approval))["arguments"],
      Json({{"path", "a.txt"}, {"folder", "."}, {"note", ""}, {"force", "true"}, {"n", "3"}}));
}

TEST(GrantForTest, NoneWhereItWouldAllowMoreThanWasSeen) {
  Json approval = Asked();
  approval["arguments"] = R"({"path":"*.txt"})";
  EXPECT_FALSE(GrantFor(approval).has_value());
  approval = Asked();
  approval["factor"] = "code";
  EXPECT_FALSE(GrantFor(approval).has_value());
  approval = Asked();
  approval["judgement"]["sinks"][0]["argument"] = "elsewhere";
  EXPECT_FALSE(GrantFor(approval).has_value());
  approval["judgement"]["sinks"] = Json::array();
  EXPECT_FALSE(GrantFor(approval).has_value());
}

TEST(GrantForTest, TheCommandIsSafeInAShell) {
  EXPECT_EQ(
      GrantCommand(
          {{"tool", "t__x"}, {"arguments", {{"to", "o'hara; rm $HOME"}}}, {"for_seconds", 7200}}),
      R"(talon grants add t__x 'to=o'\''hara; rm $HOME' --hours 2)");
}

TEST(ApprovalTextTest, AgeAndWhatIsLeft) {
  const WallTime now = std::chrono::sys_days(std::chrono::year{2026} / 3 / 1) +
                       std::chrono::hours(10) + std::chrono::minutes(3);
  EXPECT_EQ(AgeText(Asked(), now), "asked 3 min ago, expires in 57 min");
  Json denied = Asked();
  denied["state"] = "denied";
  EXPECT_EQ(AgeText(denied, now + std::chrono::hours(72)), "asked 3 days ago");
  EXPECT_EQ(AgeText(Json::object(), now), "");
}

TEST(ApprovalTextTest, AShortPieceIsNotSaidToBeFoundNowhere) {
  Json approval = Asked();
  Json& part = approval["judgement"]["sinks"][0]["parts"][0];
  part["found_in"] = Json::array();
  EXPECT_THAT(ApprovalText(approval), HasSubstr("untrusted, too short to say where"));
  part["source"] = "model";
  EXPECT_THAT(ApprovalText(approval), HasSubstr("model, found nowhere"));
}

}  // namespace
}  // namespace talon::cli
