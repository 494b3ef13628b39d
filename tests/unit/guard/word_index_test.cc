// SPDX-License-Identifier: Apache-2.0
#include "guard/word_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talon::guard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool Stands(std::string_view value, std::string_view text, Edge edge) {
  WordIndex index;
  index.Add("something before it");
  index.Add(text);
  const auto found = index.Find(Fold(value), edge, 9);
  return found == std::vector<std::size_t>{1};
}

TEST(FoldTest, SpellingsOfTheSame) {
  EXPECT_EQ(Fold("Hello  World\n"), "hello world");
  EXPECT_EQ(Fold("a%2Fb%3fc"), "a/b?c");
  EXPECT_EQ(Fold(R"(\/x\u002fy \"z\")"), R"(/x/y "z")");
  EXPECT_EQ(Fold("100% \\ %zz"), "100% \\ %zz");
  EXPECT_EQ(Fold("  "), "");
}

TEST(WordIndexTest, FindsAllTextsAValueStandsIn) {
  WordIndex index;
  index.Add("write to alice@example.com");
  index.Add("nothing");
  index.Add("Alice@Example.com again, alice@example.com");
  EXPECT_THAT(index.Find("alice@example.com", Edge::kAddress, 9), ElementsAre(0, 2));
  EXPECT_THAT(index.Find("alice@example.com", Edge::kAddress, 1), ElementsAre(0));
  EXPECT_THAT(index.Find("bob@example.com", Edge::kAddress, 9), IsEmpty());
  EXPECT_THAT(index.Find("...", Edge::kWord, 9), IsEmpty());
  EXPECT_THAT(index.Find("", Edge::kWord, 9), IsEmpty());
}

TEST(WordIndexTest, APartOfAWordIsNotTheWord) {
  EXPECT_FALSE(Stands("port", "the report", Edge::kWord));
  EXPECT_FALSE(Stands("port", "portable", Edge::kWord));
  EXPECT_TRUE(Stands("port", "Port.", Edge::kWord));
}

TEST(WordIndexTest, AnotherHostIsNotTheHost) {
  EXPECT_TRUE(Stands("example.com", "see https://Example.com/x", Edge::kHost));
  EXPECT_TRUE(Stands("example.com", "at example.com.", Edge::kHost));
  EXPECT_FALSE(Stands("example.com", "see example.com.evil.org", Edge::kHost));
  EXPECT_FALSE(Stands("example.com", "my-example.com", Edge::kHost));
  EXPECT_FALSE(Stands("example.com", "https://evil.org/example.com", Edge::kHost));
  EXPECT_FALSE(Stands("example.com", "www.example.com", Edge::kHost));
  EXPECT_FALSE(Stands("com", "example.com", Edge::kHost));
}

TEST(WordIndexTest, AnotherPathIsNotThePath) {
  EXPECT_TRUE(Stands("notes.txt", "read ./notes.txt.", Edge::kPath));
  EXPECT_TRUE(Stands("notes.txt", "'notes.txt'", Edge::kPath));
  EXPECT_FALSE(Stands("notes.txt", "old/notes.txt", Edge::kPath));
  EXPECT_FALSE(Stands("notes.txt", "notes.txt.bak", Edge::kPath));
  EXPECT_FALSE(Stands("notes.txt", "my-notes.txt", Edge::kPath));
  EXPECT_FALSE(Stands("notes.txt", "../notes.txt", Edge::kPath));
  EXPECT_TRUE(Stands("out", "put it into out/", Edge::kFolder));
  EXPECT_FALSE(Stands("out", "put it out", Edge::kFolder));
  EXPECT_FALSE(Stands("out", "put it into out/book/", Edge::kFolder));
}

TEST(WordIndexTest, AnotherNumberIsNotTheNumber) {
  EXPECT_TRUE(Stands("50", "pay 50.", Edge::kNumber));
  EXPECT_FALSE(Stands("50", "pay 50.75", Edge::kNumber));
  EXPECT_FALSE(Stands("50", "pay 1,50", Edge::kNumber));
  EXPECT_FALSE(Stands("50", "pay 50,000", Edge::kNumber));
}

TEST(WordIndexTest, ACommandStandsAlone) {
  EXPECT_TRUE(Stands("make test", "run `make test`", Edge::kCommand));
  EXPECT_TRUE(Stands("make test", "please make test, then stop", Edge::kCommand));
  EXPECT_FALSE(Stands("rm -rf build", "run rm -rf build/tmp", Edge::kCommand));
  EXPECT_FALSE(Stands("cat a", "cat a>b", Edge::kCommand));
}

TEST(WordIndexTest, GrowsAndForgets) {
  WordIndex index;
  for (int i = 0; i < 2000; ++i) index.Add("word" + std::to_string(i) + " shared");
  EXPECT_THAT(index.Find("word1999 shared", Edge::kWord, 9), ElementsAre(1999));
  EXPECT_THAT(index.Find("word7", Edge::kWord, 9), ElementsAre(7));
  index.Clear();
  EXPECT_THAT(index.Find("word7", Edge::kWord, 9), IsEmpty());
  EXPECT_EQ(index.Add("word7"), 0u);
  EXPECT_THAT(index.Find("word7", Edge::kWord, 9), ElementsAre(0));
}

}  // namespace
}  // namespace talon::guard
