// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace talon {
namespace {

TEST(Terminal, LeavesTextAsItIs) {
  const std::string text = "naïve – 日本語 🦅\n\tend \u00a0\u2014\u2028\u2070";
  EXPECT_EQ(ForTerminal(text), text);
  EXPECT_EQ(ForTerminal(""), "");
}

TEST(Terminal, MarksControlCharacters) {
  EXPECT_EQ(ForTerminal("a\x1b[31mb\rc\x7f"), "a\\x1b[31mb\\x0dc\\x7f");
}

// U+009B starts a sequence as ESC [ does, U+0090 and U+009D strings that end somewhere.
TEST(Terminal, MarksC1Controls) {
  EXPECT_EQ(ForTerminal("a\u009b31mb\u0080\u009f"), "a\\u009b31mb\\u0080\\u009f");
}

TEST(Terminal, MarksWhatReordersText) {
  EXPECT_EQ(ForTerminal("x\u202eexe.txt\u2066y\u2069\u200f\u200e\u061c"),
            "x\\u202eexe.txt\\u2066y\\u2069\\u200f\\u200e\\u061c");
}

TEST(Terminal, MarksBytesThatAreNoUtf8) {
  EXPECT_EQ(ForTerminal("a\x9b\x33\xff\xc3"), "a\\x9b3\\xff\\xc3");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string shown = ForTerminal(std::string(1, static_cast<char>(byte)) + "z");
    EXPECT_TRUE(IsValidUtf8(shown)) << byte;
  }
}

}  // namespace
}  // namespace talon
