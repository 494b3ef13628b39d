// SPDX-License-Identifier: Apache-2.0
#include "base/json_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "base/json.h"

namespace talon {
namespace {

TEST(JsonCheckTest, TellsJson) {
  for (const char* text : {"{}", " [ ] ", "0", "-0.5e+7", "\"a\\u00e9\\n\"", "null",
                           R"({"a":[1,{"b":"c"},[]],"d":{}})",
                           R"(["a string that is longer than a block of sixteen bytes \" \\"])"}) {
    EXPECT_TRUE(IsJsonText(text)) << text;
  }
  for (const char* text :
       {"", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "nul", "\"\n\"", "\"\\x\"",
        "\"\\u12g4\"", "{} {}", "[1 2]", "{1:2}", "]", "\"open", "[\"a\":1]", "{\"a\":1]"}) {
    EXPECT_FALSE(IsJsonText(text)) << text;
  }
  for (const char* text : {R"("\ud83d\ude00")", "1e308", "-0.0"})
    EXPECT_TRUE(IsJsonText(text)) << text;
  for (const char* text : {R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", "1e309"}) {
    EXPECT_FALSE(IsJsonText(text)) << text;
  }
  EXPECT_TRUE(IsJsonText(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(IsJsonText(std::string(129, '[') + std::string(129, ']')));
  EXPECT_FALSE(IsJsonText("[[]]", 1));
}

// Agrees with the parser on texts of few characters put together at random.
TEST(JsonCheckTest, AgreesWithTheParser) {
  constexpr const char* kParts[] = {"{",     "}",    "[",   "]",       ",",       ":",
                                    "\"a\"", "\"\\", "\"",  "1",       "1e2,",    "null",
                                    "true",  " ",    "\\n", "\\u0041", "\\ud83d", "\\ude00"};
  std::mt19937 random(1);
  std::size_t valid = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string text;
    for (unsigned i = 0, count = 1 + random() % 9; i < count; ++i) {
      text += kParts[random() % std::size(kParts)];
    }
    const bool expected = Json::accept(text);
    valid += expected ? 1 : 0;
    ASSERT_EQ(IsJsonText(text), expected) << text;
  }
  EXPECT_GT(valid, 1000u);
}

}  // namespace
}  // namespace talon
