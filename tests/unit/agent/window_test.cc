// SPDX-License-Identifier: Apache-2.0
#include "agent/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/agent/fake_chat_model.h"

namespace talon::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WindowTest : public testing::Test {
 public:
  void User(std::string text) {
    Add(model::TextMessage(model::Role::kUser, std::move(text), Integrity::kUser));
  }
  void Assistant(std::string text, std::vector<model::ToolCall> calls = {}) {
    Add(Says(std::move(text), std::move(calls)).message);
  }
  void Results(std::vector<std::pair<std::string, std::string>> results) {
    model::Message message;
    message.role = model::Role::kTool;
    for (auto& [id, content] : results) {
      message.parts.emplace_back(model::ToolResult{.call_id = id, .name = "t", .content = content});
    }
    Add(std::move(message));
  }
  void Add(model::Message message) { history_.push_back(std::move(message)); }

  // A token a byte.
  static std::int64_t Count(const model::Message& message) {
    std::size_t bytes = 0;
    for (const model::Part& part : message.parts) {
      if (const auto* text = std::get_if<model::TextPart>(&part)) bytes += text->text.size();
      if (const auto* call = std::get_if<model::ToolCall>(&part)) {
        bytes += call->name.size() + call->arguments.size();
      }
      if (std::holds_alternative<model::ImagePart>(part)) bytes += 1000;
      if (const auto* result = std::get_if<model::ToolResult>(&part)) {
        bytes += result->content.size();
      }
    }
    return static_cast<std::int64_t>(bytes);
  }
  Window Fit(std::int64_t budget) {
    std::vector<const model::Message*> history;
    for (const model::Message& message : history_) history.push_back(&message);
    kept.clear();
    Window window =
        FitWindow(history, budget, Count, [this](const model::Message& message, std::size_t part) {
          kept.insert(*TextOfPart(message.parts[part]));
          return "art_x";
        });
    std::int64_t total = 0;
    for (const model::Message& message : window.messages) total += Count(message);
    EXPECT_EQ(window.tokens, total);
    ExpectPaired(window);
    return window;
  }
  std::set<std::string> kept;  // by the last Fit()
  static void ExpectPaired(const Window& window) {
    std::vector<std::string> open;
    for (const model::Message& message : window.messages) {
      if (message.role != model::Role::kTool) EXPECT_THAT(open, IsEmpty());
      for (const model::Part& part : message.parts) {
        if (const auto* call = std::get_if<model::ToolCall>(&part)) open.push_back(call->id);
        if (const auto* result = std::get_if<model::ToolResult>(&part)) {
          EXPECT_EQ(std::erase(open, result->call_id), 1u);
        }
      }
    }
    EXPECT_THAT(open, IsEmpty());
  }
  static std::vector<std::string> Texts(const Window& window) {
    std::vector<std::string> texts;
    for (const model::Message& message : window.messages) {
      std::string line;
      for (const model::Part& part : message.parts) {
        if (const auto* text = std::get_if<model::TextPart>(&part)) line += text->text;
        if (const auto* call = std::get_if<model::ToolCall>(&part)) line += "?" + call->id;
        if (const auto* result = std::get_if<model::ToolResult>(&part)) {
          line += "=" + result->content;
        }
      }
      texts.push_back(line);
    }
    return texts;
  }

 private:
  std::deque<model::Message> history_;
};

TEST_F(WindowTest, EverythingFits) {
  User("a");
  Assistant("b");
  User("c");
  const Window window = Fit(100);
  EXPECT_THAT(Texts(window), ElementsAre("a", "b", "c"));
  EXPECT_EQ(window.dropped, 0u);
  EXPECT_EQ(window.cut, 0u);
}

TEST_F(WindowTest, WholeExchangesFallOutAtTheOldEnd) {
  User("aaaa");
  Assistant("", {Call("t", "", "1")});
  Results({{"1", "bbbb"}});
  Assistant("cccc");
  User("dddd");
  Assistant("eeee");
  User("f");
  EXPECT_THAT(Texts(Fit(9)), ElementsAre("dddd", "eeee", "f"));
  const Window window = Fit(8);
  EXPECT_THAT(Texts(window), ElementsAre("f"));
  EXPECT_EQ(window.dropped, 6u);
}

TEST_F(WindowTest, TheCurrentExchangeStaysWhateverTheBudget) {
  User("a");
  Assistant("", {Call("t", "", "1")});
  Results({{"1", "b"}});
  EXPECT_THAT(Texts(Fit(0)), SizeIs(3));
}

TEST_F(WindowTest, TheRestOfAnExchangeWithoutItsOpeningFallsOut) {
  Assistant("", {Call("t", "", "1")});
  Results({{"1", "b"}});
  Assistant("c");
  User("d");
  EXPECT_THAT(Texts(Fit(100)), ElementsAre("d"));
}

TEST_F(WindowTest, ACallWithoutResultGetsOne) {
  User("a");
  Assistant("", {Call("t", "", "1"), Call("t", "", "2")});
  Results({{"2", "b"}});
  User("c");
  EXPECT_THAT(Texts(Fit(100)), ElementsAre("a", "?1?2", "=b", "=[no result]", "c"));
}

TEST_F(WindowTest, AResultWithoutCallIsDropped) {
  User("a");
  Results({{"9", "stray"}});
  Assistant("", {Call("t", "", "1")});
  Results({{"1", "b"}, {"1", "twice"}, {"8", "stray"}});
  User("c");
  Results({{"1", "late"}});
  EXPECT_THAT(Texts(Fit(100)), ElementsAre("a", "?1", "=b", "c"));
}

// Some servers count call ids from zero in each answer.
TEST_F(WindowTest, IdsThatComeAgainArePairedByPlace) {
  User("a");
  Assistant("", {Call("t", "", "0")});
  Results({{"0", "one"}});
  Assistant("", {Call("t", "", "0")});
  User("b");
  Assistant("", {Call("t", "", "0")});
  Results({{"0", "three"}});
  EXPECT_THAT(Texts(Fit(100)),
              ElementsAre("a", "?0", "=one", "?0", "=[no result]", "b", "?0", "=three"));
}

TEST_F(WindowTest, ToolResultsOfTheCurrentExchangeAreCutFirst) {
  const std::string person = std::string(3000, 'p') + "end";
  User(person);
  Assistant("", {Call("t", "", "1"), Call("t", "", "2")});
  Results(
      {{"1", "[plugin_output]\n" + std::string(9000, 'x') + "\n[/plugin_output]"}, {"2", "small"}});
  const Window window = Fit(8000);
  const auto texts = Texts(window);
  EXPECT_EQ(window.cut, 1u);
  EXPECT_EQ(texts[0], person);
  EXPECT_THAT(texts[2], HasSubstr("=[plugin_output]\nxxx"));
  EXPECT_THAT(texts[2], HasSubstr("bytes left out"));
  EXPECT_THAT(texts[2], testing::EndsWith("\n[/plugin_output]=small"));
  EXPECT_LE(window.tokens, 8000);
}

TEST_F(WindowTest, TheRoomIsDividedAndSmallResultsStayWhole) {
  User("a");
  Assistant("", {Call("t", "{}", "1"), Call("t", "{}", "2"), Call("t", "{}", "3")});
  const std::string small(3000, 's');
  Results({{"1", std::string(33'000, 'x')}, {"2", small}, {"3", std::string(50'000, 'y')}});
  const Window window = Fit(23'100);
  const auto& results = window.messages[2].parts;
  auto content = [&](std::size_t i) { return std::get<model::ToolResult>(results[i]).content; };
  EXPECT_EQ(content(1), small);
  for (const std::size_t large : {0U, 2U}) {
    EXPECT_GT(content(large).size(), 9'500u);
    EXPECT_LT(content(large).size(), 10'100u);
  }
  EXPECT_LE(window.tokens, 23'100);
}

TEST_F(WindowTest, ACutNamesWhereTheWholeIsAndWhatIsMissing) {
  std::string whole;
  for (int i = 0; i < 3000; ++i) whole += "line " + std::to_string(i) + "\n";
  User("a");
  Assistant("", {Call("t", "{}", "1")});
  Results({{"1", whole}});
  const Window window = Fit(10'000);
  const std::string content = Texts(window)[2].substr(1);
  EXPECT_THAT(kept, ElementsAre(whole));
  const auto at = content.find("\n[… ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(content.substr(0, at), whole.substr(0, at));
  EXPECT_THAT(content, HasSubstr("read them with artifact__read, handle art_x, offset " +
                                 std::to_string(at) + " …]"));
  const auto missing = std::stoul(content.substr(at + 6));
  const std::string tail = content.substr(content.find("…]\n") + 5);
  EXPECT_EQ(at + missing + tail.size(), whole.size());
  EXPECT_TRUE(whole.ends_with(tail));
}

TEST_F(WindowTest, HugeArgumentsOfACallDoNotOverflowForEver) {
  User("write it");
  const std::string arguments = DumpJson({{"path", "a"}, {"content", std::string(1'000'000, '"')}});
  Assistant("", {Call("t", arguments, "1")});
  Results({{"1", "written"}});
  const Window window = Fit(8000);
  EXPECT_LE(window.tokens, 8000);
  const auto call = model::ToolCallsOf(window.messages[1]).front();
  const auto json = ParseJson(call.arguments, "arguments");
  ASSERT_TRUE(json.ok() && json->is_object());
  EXPECT_THAT(JsonString(*json, "[cut]"), HasSubstr("handle art_x"));
  EXPECT_THAT(kept, ElementsAre(arguments));
}

TEST_F(WindowTest, ImagesGoBeforeWords) {
  const std::string words(3000, 'w');
  model::Message message = model::TextMessage(model::Role::kUser, words, Integrity::kUser);
  for (int i = 0; i < 3; ++i) {
    message.parts.emplace_back(model::ImagePart{"image/png", "aGk=", ""});
  }
  Add(message);
  const Window window = Fit(5200);
  EXPECT_THAT(Texts(window)[0], testing::StartsWith(words + "[an image was left out"));
  EXPECT_TRUE(std::holds_alternative<model::ImagePart>(window.messages[0].parts[3]));
  EXPECT_LE(window.tokens, 5200);
  EXPECT_EQ(window.cut_user_bytes, 3000u);
}

TEST_F(WindowTest, TheWordsOfThePersonAreCutLastAndToldOf) {
  User(std::string(30'000, 'p'));
  Assistant("", {Call("t", "{}", "1")});
  Results({{"1", std::string(9000, 'x')}});
  const Window window = Fit(12'000);
  EXPECT_LE(window.tokens, 12'000);
  EXPECT_EQ(window.cut_user_bytes, 30'000u);
  EXPECT_GT(Texts(window)[0].size(), 5000u);
}

TEST_F(WindowTest, CutsAreWholeCharacters) {
  std::string text;
  while (text.size() < 20000) text += "ü€😀";
  User(text);
  for (std::int64_t budget : {5000, 1000, 10}) {
    const Window window = Fit(budget);
    EXPECT_TRUE(IsValidUtf8(Texts(window)[0]));
  }
}

TEST_F(WindowTest, NothingIsNothing) {
  EXPECT_THAT(Fit(10).messages, IsEmpty());
}

}  // namespace
}  // namespace talon::agent
