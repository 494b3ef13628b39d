// SPDX-License-Identifier: Apache-2.0
#include "cli/question_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

namespace talon::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class QuestionFormTest : public testing::Test {
 protected:
  FormAnswer Ask(const std::string& question, std::deque<std::string> lines) {
    shown_.clear();
    prompts_.clear();
    Json json = Json::parse(question);
    json.update({{"plugin", "shop"}, {"tool", "shop__order"}, {"text", "What?"}});
    return AskPerson(
        json,
        [&](const std::string& prompt) -> std::optional<std::string> {
          prompts_.push_back(prompt);
          if (lines.empty()) return std::nullopt;
          std::string line = lines.front() + "\n";
          lines.pop_front();
          return line;
        },
        [&](const std::string& text) { shown_ += text + "\n"; });
  }
  // A form with one field "x".
  FormAnswer AskOne(const std::string& field, std::deque<std::string> lines,
                    const std::string& required = R"(["x"])") {
    return Ask(R"({"fields":["x"],"schema":{"type":"object","required":)" + required +
                   R"(,"properties":{"x":)" + field + "}}}",
               std::move(lines));
  }

  std::string shown_;
  std::vector<std::string> prompts_;
};

TEST_F(QuestionFormTest, ItSaysWhoAsks) {
  Ask(R"({"question":"q"})", {"y"});
  EXPECT_THAT(shown_, HasSubstr("shop__order of plugin 'shop' asks"));
  EXPECT_THAT(shown_, HasSubstr("What?"));
}

TEST_F(QuestionFormTest, YesIsSaidNotAssumed) {
  EXPECT_TRUE(Ask("{}", {"y"}).accepted);
  EXPECT_TRUE(Ask("{}", {" YES "}).accepted);
  for (const char* line : {"", "n", "no", "sure", "yy"}) EXPECT_FALSE(Ask("{}", {line}).accepted);
  EXPECT_FALSE(Ask("{}", {}).accepted);
  EXPECT_EQ(Ask("{}", {"y"}).content, "");
}

TEST_F(QuestionFormTest, WhatIsNeitherYesNorNoIsAskedAgain) {
  EXPECT_TRUE(Ask("{}", {"sure", "y"}).accepted);
  EXPECT_THAT(shown_, HasSubstr("Say y or n."));
  EXPECT_FALSE(Ask("{}", {"a", "b", "c", "y"}).accepted);
  EXPECT_FALSE(Ask("{}", {"", "y"}).accepted);
}

TEST_F(QuestionFormTest, APageIsShown) {
  EXPECT_TRUE(Ask(R"({"url":"https://example.com/a"})", {"y"}).accepted);
  EXPECT_THAT(shown_, HasSubstr("Open https://example.com/a"));
}

TEST_F(QuestionFormTest, FieldsAreAskedInTheirOrder) {
  const FormAnswer answer = Ask(
      R"({"fields":["name","age","ok"],"schema":{"type":"object","required":["name"],
          "properties":{"age":{"type":"integer"},"name":{"type":"string","title":"Your name"},
                        "ok":{"type":"boolean","default":true}}}})",
      {"Ann", "", ""});
  EXPECT_TRUE(answer.accepted);
  EXPECT_EQ(answer.content, R"({"name":"Ann","ok":true})");
  EXPECT_THAT(prompts_,
              ElementsAre("  Your name: ", "  age (may be empty): ", "  ok (y/n) [true]: "));
}

TEST_F(QuestionFormTest, TypesAreRead) {
  EXPECT_EQ(AskOne(R"({"type":"integer"})", {"7"}).content, R"({"x":7})");
  EXPECT_EQ(AskOne(R"({"type":"number"})", {"2.5"}).content, R"({"x":2.5})");
  EXPECT_EQ(AskOne(R"({"type":"boolean"})", {"no"}).content, R"({"x":false})");
  EXPECT_EQ(AskOne(R"({"type":"string"})", {" a b "}).content, R"({"x":"a b"})");
}

TEST_F(QuestionFormTest, ChoicesAreTakenByNumberValueOrName) {
  const std::string field = R"({"type":"string","enum":["s","l"],"enumNames":["small","large"]})";
  EXPECT_EQ(AskOne(field, {"2"}).content, R"({"x":"l"})");
  EXPECT_EQ(AskOne(field, {"S"}).content, R"({"x":"s"})");
  EXPECT_EQ(AskOne(field, {"large"}).content, R"({"x":"l"})");
  EXPECT_THAT(shown_, HasSubstr("1. small\n    2. large"));
  const std::string list = R"({"type":"array","items":{"enum":["a","b","c"]}})";
  EXPECT_EQ(AskOne(list, {"a, 3"}).content, R"({"x":["a","c"]})");
}

TEST_F(QuestionFormTest, WhatDoesNotFitIsAskedAgainThreeTimes) {
  EXPECT_EQ(AskOne(R"({"type":"integer"})", {"many", "7"}).content, R"({"x":7})");
  EXPECT_FALSE(AskOne(R"({"type":"integer"})", {"a", "b", "c", "7"}).accepted);
  EXPECT_EQ(prompts_.size(), 3U);
}

TEST_F(QuestionFormTest, AnEmptyLineDeclinesWhatMustBeThere) {
  EXPECT_FALSE(AskOne(R"({"type":"string"})", {""}).accepted);
  EXPECT_FALSE(AskOne(R"({"type":"string"})", {}).accepted);  // Ctrl-C
  EXPECT_EQ(AskOne(R"({"type":"string"})", {""}, "[]").content, "{}");
}

TEST_F(QuestionFormTest, NothingMovesTheCursor) {
  Ask(R"({"url":"https://a\u001b[2J"})", {"n"});
  EXPECT_EQ(shown_.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace talon::cli
