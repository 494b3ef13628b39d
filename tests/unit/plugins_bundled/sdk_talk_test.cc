// SPDX-License-Identifier: Apache-2.0
// Progress, questions and changing tools in the harness; with a process: tests/unit/plugin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talon/sdk/plugin.h"
#include "talon/sdk/testing.h"

namespace talon::sdk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Talker : public Plugin {
 public:
  explicit Talker(bool dynamic = true)
      : Plugin({.name = "talker",
                .version = "1",
                .description = "Talks.",
                .config = {},
                .needs = {},
                .dynamic = dynamic,
                .watch = dynamic}) {
    AddTool(Made("ask"));
    Tool plain = Made("plain");
    plain.asks = false;
    AddTool(std::move(plain));
  }
  absl::Status Set(std::vector<Tool> tools) { return SetTools(std::move(tools)); }

  static Tool Made(std::string name) {
    return {.name = std::move(name),
            .description = "Talks.",
            .schema = Schema::FromJson(R"({"type":"object","properties":{"x":{}}})"),
            .effect = Effect::kRead,
            .asks = true,
            .handler = [](const Args&, const CallInfo& call) {
              call.Progress("half", 1, 2);
              const Answer answer =
                  call.Ask({.text = "How many?", .form = Object().Required("n", Integer())});
              return Result::Text(answer.accepted() ? std::to_string(answer.content.Int("n"))
                                                    : "none" + answer.reason);
            }};
  }
};

class SdkTalkTest : public testing::Test {
 protected:
  SdkTalkTest() { EXPECT_TRUE(harness_.Configure("{}").ok()); }
  std::string Call(std::string_view tool, const TestCall& call = {}) {
    const auto result = harness_.Execute(tool, "{}", call);
    return result.ok() ? result->content : std::string(result.status().message());
  }

  PluginHarness harness_{std::make_unique<Talker>()};
};

TEST_F(SdkTalkTest, TheTestHearsAndAnswers) {
  std::vector<std::string> heard;
  TestCall call;
  call.on_progress = [&](std::string_view text, double done, double total) {
    heard.push_back(std::string(text) + (done * 2 == total ? " of it" : ""));
  };
  call.on_question = [&](const Question& question) {
    heard.push_back(question.text);
    return Answer{.action = AnswerAction::kAccept, .content = *Args::Parse(R"({"n":4})", "answer")};
  };
  EXPECT_EQ(Call("ask", call), "4");
  EXPECT_THAT(heard, ElementsAre("half of it", "How many?"));
  call.on_question = [](const Question&) { return Answer{.action = AnswerAction::kDecline}; };
  EXPECT_EQ(Call("ask", call), "none");
}

TEST_F(SdkTalkTest, WithoutAPersonTheAnswerIsCancel) {
  EXPECT_EQ(Call("ask"), "none");
}

TEST_F(SdkTalkTest, AToolThatDoesNotSayThatItAsksIsTold) {
  TestCall call;
  call.on_question = [](const Question&) {
    ADD_FAILURE() << "asked";
    return Answer();
  };
  EXPECT_THAT(Call("plain", call), HasSubstr("does not declare that it asks"));
}

TEST_F(SdkTalkTest, TheManifestTellsWhatToolsDo) {
  EXPECT_THAT(harness_.ManifestJson(),
              testing::AllOf(HasSubstr("\"asks\": true"), HasSubstr("\"dynamic\": true"),
                             HasSubstr("\"watch\": true")));
}

TEST_F(SdkTalkTest, ToolsAreReplacedWholeOrNotAtAll) {
  Talker& plugin = *harness_.As<Talker>();
  EXPECT_TRUE(plugin.Set({Talker::Made("new")}).ok());
  EXPECT_THAT(Call("ask"), HasSubstr("no tool 'ask'"));
  EXPECT_EQ(Call("new"), "none");
  EXPECT_THAT(std::string(plugin.Set({Talker::Made("a"), Talker::Made("a")}).message()),
              HasSubstr("declared twice"));
  EXPECT_EQ(Call("new"), "none");
  EXPECT_THAT(harness_.ManifestJson(), Not(HasSubstr("\"ask\"")));
}

TEST(SdkDynamicTest, OnlyADynamicPluginReplacesItsTools) {
  Talker fixed(/*dynamic=*/false);
  EXPECT_THAT(std::string(fixed.Set({}).message()), HasSubstr("does not say that it is dynamic"));
}

}  // namespace
}  // namespace talon::sdk
