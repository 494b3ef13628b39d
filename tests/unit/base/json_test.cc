// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace talon {
namespace {

std::string Nested(int levels) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(count, ']');
}

TEST(Json, ParsesAndDumpsOneLine) {
  const auto json = ParseJson(R"({"a": [1, 2.5, null], "b": "\u00e9"})", "request body");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(DumpJson(*json), "{\"a\":[1,2.5,null],\"b\":\"\u00E9\"}");
}

TEST(Json, ErrorNamesWhatAndWhere) {
  const absl::Status status = ParseJson("{\"a\": nope}", "request body").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(Message(status).find("request body"), std::string_view::npos) << status;
  EXPECT_NE(Message(status).find("byte "), std::string_view::npos) << status;
}

// A configuration or a request may hold a secret beside the fault.
TEST(Json, ErrorDoesNotQuoteTheDocument) {
  for (const char* text : {"{\"key\": \"sk-abcdef\n\"}", "[\"sk-abcdef\" 1]", "{sk-abcdef}",
                           "[\"sk-abcdef: \xFF\"]"}) {
    const absl::Status status = ParseJson(text, "document").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_EQ(Message(status).find("sk-abc"), std::string_view::npos) << status;
  }
}

TEST(Json, RefusesWhatIsNotOneDocument) {
  for (const char* text : {"", " ", "{", "[1,]", "{} x", "'a'", "[1e999]", "nul", "\"\xFF\"",
                           "\"\\ud800\"", "// c\n1", "NaN"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseJson(text, "document").status())) << text;
  }
}

TEST(Json, LimitsDepthButNotBracketsInStrings) {
  EXPECT_TRUE(ParseJson(Nested(128), "document").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ParseJson(Nested(129), "document").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseJson(std::string(1 << 20, '['), "document").status()));
  EXPECT_TRUE(ParseJson("[\"\\\"" + std::string(500, '[') + "\"]", "document").ok());
}

TEST(Json, DumpNeverThrows) {
  EXPECT_EQ(DumpJson(Json("a\xFF")), "\"a\uFFFD\"");
}

TEST(Json, AppendedStringsParseBack) {
  std::string all;
  for (int i = 0; i < 128; ++i) all += static_cast<char>(i);
  for (const std::string& text : {std::string(), std::string("plain"), all,
                                  std::string("\u00E9 \U0001F600 \"\\"), all + all}) {
    std::string out;
    AppendJsonString(out, text);
    const auto parsed = ParseJson(out, "string");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->get<std::string>(), text);
    EXPECT_EQ(out.find('\n'), std::string::npos);
  }
  std::string out = "x=";
  AppendJsonString(out,
                   "a\xFF"
                   "b");
  EXPECT_EQ(out,
            "x=\"a\uFFFD"
            "b\"");
}

TEST(Json, TypedReadsFallBack) {
  const Json json = Json::parse(R"({"s":"v","i":7,"d":2.5,"b":true,"n":null,"w":3.0})");
  EXPECT_EQ(JsonString(json, "s"), "v");
  EXPECT_EQ(JsonString(json, "i", "fallback"), "fallback");
  EXPECT_EQ(JsonInt(json, "i"), 7);
  EXPECT_EQ(JsonInt(json, "w"), 3);
  EXPECT_EQ(JsonInt(json, "s", -1), -1);
  EXPECT_EQ(JsonDouble(json, "d"), 2.5);
  EXPECT_EQ(JsonDouble(json, "i"), 7);
  EXPECT_TRUE(JsonBool(json, "b"));
  EXPECT_TRUE(JsonBool(json, "i", true));
  EXPECT_NE(JsonFind(json, "n"), nullptr);
  EXPECT_EQ(JsonFind(json, "none"), nullptr);
  EXPECT_EQ(JsonFind(Json::array(), "s"), nullptr);
}

TEST(Json, IntegersOutOfRangeFallBack) {
  const Json json = Json::parse(R"({"u":18446744073709551615,"d":1e300,"m":-9223372036854775808})");
  EXPECT_EQ(JsonInt(json, "u", -1), -1);
  EXPECT_EQ(JsonInt(json, "d", -1), -1);
  EXPECT_EQ(JsonInt(json, "m"), std::numeric_limits<long>::min());
}

}  // namespace
}  // namespace talon
