// SPDX-License-Identifier: Apache-2.0
#include "examples/model_rules/model_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "talon/sdk/testing.h"

namespace talon::examples {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Shown : public sdk::ChatSink {
 public:
  void Text(std::string_view text) override { pieces.emplace_back(text); }
  void Reasoning(std::string_view) override {}
  void ToolCall(std::string_view, std::string_view name) override {
    pieces.push_back("call " + std::string(name));
  }
  std::vector<std::string> pieces;
};

class ModelRulesTest : public testing::Test {
 protected:
  absl::Status Configure(std::string_view config) { return harness_.Configure(config); }
  sdk::ChatAnswer Ask(std::vector<sdk::ChatMessage> messages) {
    sdk::ChatRequest request;
    request.messages = std::move(messages);
    auto answer = harness_.As<sdk::ModelProvider>()->Complete(request, sdk::TestInfo(), shown_);
    EXPECT_TRUE(answer.ok());
    return answer.ok() ? *answer : sdk::ChatAnswer();
  }
  static sdk::ChatMessage Says(std::string text) {
    return {.role = sdk::ChatRole::kUser, .parts = {sdk::ChatText{std::move(text)}}};
  }

  sdk::PluginHarness harness_{std::make_unique<ModelRules>()};
  Shown shown_;
};

TEST_F(ModelRulesTest, TheFirstRuleThatFitsAnswers) {
  ASSERT_TRUE(Configure(R"({"rules":[{"when":"Hello","say":"Good day to you."},
                                     {"when":"h","say":"never"}]})")
                  .ok());
  const sdk::ChatAnswer answer = Ask({Says("well, HELLO there")});
  EXPECT_THAT(shown_.pieces, ElementsAre("Good", " day", " to", " you."));
  ASSERT_EQ(answer.parts.size(), 1U);
  EXPECT_EQ(std::get<sdk::ChatText>(answer.parts[0]).text, "Good day to you.");
  EXPECT_EQ(answer.finish, sdk::ChatFinish::kStop);
  EXPECT_GT(answer.usage->output_tokens, 0);
}

TEST_F(ModelRulesTest, ARuleMayCallATool) {
  ASSERT_TRUE(Configure(R"({"rules":[{"when":"list","tool":"files__list",
                                      "arguments":{"path":"."}}]})")
                  .ok());
  const sdk::ChatAnswer answer = Ask({Says("list them")});
  const auto& call = std::get<sdk::ChatToolCall>(answer.parts.at(0));
  EXPECT_EQ(call.name, "files__list");
  EXPECT_EQ(call.arguments_json, R"({"path":"."})");
  EXPECT_EQ(answer.finish, sdk::ChatFinish::kToolCalls);
  EXPECT_THAT(shown_.pieces, ElementsAre("call files__list"));
}

TEST_F(ModelRulesTest, ResultsAreTold) {
  ASSERT_TRUE(Configure(R"({"rules":[{"when":"list","tool":"files__list"}]})").ok());
  const sdk::ChatAnswer answer =
      Ask({Says("list"),
           {.role = sdk::ChatRole::kTool,
            .parts = {sdk::ChatToolResult{.call_id = "1", .name = "x", .content = "a.txt"}}}});
  EXPECT_EQ(std::get<sdk::ChatText>(answer.parts.at(0)).text, "a.txt");
}

TEST_F(ModelRulesTest, WithoutARuleItSaysWhatItHeard) {
  ASSERT_TRUE(Configure("{}").ok());
  EXPECT_EQ(std::get<sdk::ChatText>(Ask({Says("x")}).parts.at(0)).text, "You said: x");
}

TEST_F(ModelRulesTest, BrokenRulesAreRefusedByName) {
  EXPECT_THAT(std::string(Configure(R"({"rules":[{"wen":"x"}]})").message()),
              HasSubstr("'wen' is not known"));
  EXPECT_THAT(std::string(Configure(R"({"rules":[{"when":"x"}]})").message()),
              HasSubstr("`say` or `tool`"));
}

TEST_F(ModelRulesTest, TheManifestNamesTheModel) {
  EXPECT_THAT(harness_.ManifestJson(), HasSubstr("\"id\": \"rules\""));
}

}  // namespace
}  // namespace talon::examples
