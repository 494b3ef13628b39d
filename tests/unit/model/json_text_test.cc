// SPDX-License-Identifier: Apache-2.0
#include "model/json_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace talon::model {
namespace {

TEST(JsonTextTest, PutsTheCommas) {
  std::string out;
  JsonText json(out);
  json.Open('{').Member("a", "x").Key("b").Open('[').Int(1).String("y").Open('{').Close('}');
  json.Open('[').Close(']').Bool(true).Close(']').Key("c").Double(0.5);
  json.Key("d").Double(std::numeric_limits<double>::infinity()).Close('}');
  EXPECT_EQ(out, R"({"a":"x","b":[1,"y",{},[],true],"c":0.5,"d":0})");
}

TEST(JsonTextTest, RecognisesWhatTheParserAccepts) {
  const char* kSeeds[] = {
      R"({"a":[1,-2.5e+3,0,true,false,null,"x\u00e9\"\\\/\b\f\n\r\t"],"b":{"c":{}}})",
      R"([[],{},"",0.1,1E5,-0])",
      R"("text")",
      "12",
      " { } ",
      "{\"ü\":\"🙂\"}",
      R"(["\ud83d\ude42\uD83D\uDE42"])",
      R"({"n":[1e30,12345678901234567890,-0.0]})",
      ""};
  std::minstd_rand random(7);
  int accepted = 0;
  for (const char* seed : kSeeds) {
    for (int i = 0; i < 4000; ++i) {
      std::string text = seed;
      for (std::uint32_t edits = i == 0 ? 0 : random() % 3 + 1; edits > 0 && !text.empty();
           --edits) {
        std::size_t at = random() % text.size();
        constexpr std::string_view kBytes = "{}[]\",:\\0123456789eE+-.tfnudc \x01\xff";
        char byte = kBytes[random() % kBytes.size()];
        if (random() % 3 == 0) {
          text.erase(at, 1);
        } else if (random() % 2 == 0) {
          text[at] = byte;
        } else {
          text.insert(at, 1, byte);
        }
      }
      bool ours = IsJson(text);
      accepted += ours ? 1 : 0;
      EXPECT_EQ(ours, Json::accept(text)) << text;
    }
  }
  EXPECT_GT(accepted, 100);
}

TEST(JsonTextTest, BoundsDepth) {
  std::string deep(65, '['), close(65, ']');
  EXPECT_FALSE(IsJson(deep + close));
  EXPECT_TRUE(IsJson(deep.substr(1) + close.substr(1)));
  EXPECT_FALSE(IsJson(std::string(1'000'000, '[')));
}

TEST(JsonTextTest, ArgumentsAreAlwaysAnObject) {
  auto arguments = [](std::string_view text) {
    std::string out;
    AppendArguments(out, text);
    return out;
  };
  EXPECT_EQ(arguments(R"( {"a": 1e2} )"), R"({"a": 1e2})") << "bytes are kept";
  EXPECT_EQ(arguments(""), "{}");
  EXPECT_EQ(arguments(" null\n"), "{}");
  EXPECT_EQ(arguments("[1]"), R"({"raw":"[1]"})");
  EXPECT_EQ(arguments("{\"a\":"), R"({"raw":"{\"a\":"})");
  EXPECT_EQ(arguments(R"({"a":1},"b":{})"), R"({"raw":"{\"a\":1},\"b\":{}"})");
  EXPECT_EQ(Json::parse(arguments("{\"\xff\":1}"))["raw"], "{\"\uFFFD\":1}");
}

TEST(JsonTextTest, RepairsCutCharacters) {
  auto text = [](std::string_view json) {
    auto parsed = ParseProviderJson(json, "event");
    return parsed.ok() ? (*parsed)[0].get<std::string>() : "error";
  };
  EXPECT_EQ(text(R"(["\ud83d\ude42"])"), "🙂");
  EXPECT_EQ(text(R"(["a\ud83d"])"), "a\uFFFD");
  EXPECT_EQ(text(R"(["\ude42b\ud83dx\\ud83d"])"), "\uFFFDb\uFFFDx\\ud83d");
  EXPECT_EQ(text("[\"\xf0\x9f\x99\"]").substr(0, 3), "\uFFFD");
  EXPECT_EQ(text("[oops"), "error");
}

}  // namespace
}  // namespace talon::model
