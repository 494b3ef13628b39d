// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace talon {
namespace {

using Views = std::vector<std::string_view>;

TEST(Text, AcceptsTheBoundsOfUtf8) {
  for (const char* valid :
       {"", "plain", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsValidUtf8(valid)) << valid;
    EXPECT_EQ(RepairUtf8(valid), valid);
  }
  EXPECT_TRUE(IsValidUtf8(std::string_view("a\0b", 3)));
}

TEST(Text, RefusesWhatIsNoUtf8) {
  for (const char* invalid :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2",
        "\xC2"
        "A",
        "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF"}) {
    EXPECT_EQ(FindInvalidUtf8(invalid), 0u) << invalid;
    EXPECT_TRUE(IsValidUtf8(RepairUtf8(invalid)));
  }
}

TEST(Text, FindsTheFirstBadByteAtEveryAlignment) {
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const std::string text = std::string(before, 'a') + "\xC3\xA9\xFF" + std::string(after, 'b');
      ASSERT_EQ(FindInvalidUtf8(text), before + 2);
    }
  }
}

TEST(Text, RepairKeepsTheNeighbours) {
  EXPECT_EQ(RepairUtf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(RepairUtf8("\xE2\x82"
                       "A"),
            "\uFFFD"
            "A");
  EXPECT_EQ(RepairUtf8("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(RepairUtf8("\xF0\x9F\xC3\xA9"), "\uFFFD\u00E9");
}

TEST(Text, TruncatesBetweenCharacters) {
  const std::string_view text = "a\u00E9\U0001F600";  // 1 + 2 + 4 bytes
  EXPECT_EQ(TruncateUtf8(text, 0), "");
  EXPECT_EQ(TruncateUtf8(text, 1), "a");
  EXPECT_EQ(TruncateUtf8(text, 2), "a");
  EXPECT_EQ(TruncateUtf8(text, 3), "a\u00E9");
  EXPECT_EQ(TruncateUtf8(text, 6), "a\u00E9");
  EXPECT_EQ(TruncateUtf8(text, 7), text);
  EXPECT_EQ(TruncateUtf8(text, 100), text);
}

TEST(Text, TrimsAndLowersAscii) {
  EXPECT_EQ(TrimSpace(" \t a b\r\n"), "a b");
  EXPECT_EQ(TrimSpace(" \n "), "");
  EXPECT_EQ(ToLowerAscii("AbZ\u00C9"), "abz\u00C9");
  EXPECT_TRUE(EqualsIgnoreCase("Content-Type", "content-type"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
}

TEST(Text, SplitsLines) {
  EXPECT_EQ(SplitLines("a\r\nb\n\nc"), (Views{"a", "b", "", "c"}));
  EXPECT_EQ(SplitLines("a\n"), Views{"a"});
  EXPECT_EQ(SplitLines(""), Views{});
  EXPECT_EQ(SplitLines("\n"), Views{""});
}

TEST(Text, EncodesHex) {
  EXPECT_EQ(HexEncode(std::string_view("\x00\x7F\xFF", 3)), "007fff");
}

TEST(Text, MeasuresEditDistance) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("same", "same"), 0u);
}

TEST(Text, SuggestsTheNearest) {
  EXPECT_EQ(Nearest("listen_prot", {"listen_host", "listen_port", "port"}), "listen_port");
  EXPECT_EQ(Nearest("gateway", {"journal", "model"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace talon
