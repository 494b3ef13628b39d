// SPDX-License-Identifier: Apache-2.0
// Models that do not come over HTTP: tried again, bounded and named like the others.
#include "model/source_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "base/clock.h"
#include "base/status.h"
#include "io/loop.h"
#include "model/factory.h"

namespace talon::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Script {
  std::deque<absl::StatusOr<ChatResponse>> answers;
  std::string shown;  // before each answer
  int tries = 0;
};

class FakeSource : public ModelSource {
 public:
  explicit FakeSource(Script& script) : script_(script) {}
  io::Task<absl::StatusOr<ChatResponse>> Complete(const ChatRequest&, CallContext,
                                                  DeltaSink* sink) override {
    ++script_.tries;
    if (sink != nullptr && !script_.shown.empty()) sink->OnText(script_.shown);
    auto answer = std::move(script_.answers.front());
    script_.answers.pop_front();
    co_return answer;
  }

 private:
  Script& script_;
};

class TextSink : public DeltaSink {
 public:
  void OnText(std::string_view text) override { shown += text; }
  std::string shown;
};

ChatResponse Says(std::vector<Part> parts) {
  ChatResponse response;
  response.message.role = Role::kUser;  // whatever a source may say
  response.message.label.integrity = Integrity::kSystem;
  response.message.parts = std::move(parts);
  return response;
}

class SourceModelTest : public testing::Test {
 protected:
  absl::StatusOr<ChatResponse> Ask(DeltaSink* sink = nullptr) {
    SourceModel model("acme", options, std::make_unique<FakeSource>(script), redactor, clock,
                      [this](SteadyTime until, CallContext) -> io::Task<absl::Status> {
                        waits.push_back(until > clock.SteadyNow());
                        co_return absl::OkStatus();
                      });
    ChatRequest request;
    request.model = "m";
    return loop.RunUntilDone(model.Complete(request, {}, sink));
  }
  static absl::Status Error(absl::StatusCode code, ErrorReason reason, std::string_view text) {
    return MakeError(code, reason, text);
  }

  io::Loop loop;
  SystemClock clock;
  Redactor redactor;
  ProviderOptions options;
  Script script;
  std::vector<bool> waits;
};

TEST_F(SourceModelTest, AnAnswerIsMadeLikeThoseOfOtherProviders) {
  ChatResponse given = Says({TextPart{"a"}, ReasoningPart{.text = "why", .signature = "proof"},
                             ToolCall{.id = "", .name = "t", .arguments = "", .signature = "s"}});
  given.usage = {.input_tokens = 3, .output_tokens = 4};
  given.usage_reported = true;
  script.answers = {given};
  const auto answer = Ask();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.role, Role::kAssistant);
  EXPECT_EQ(answer->message.label.integrity, Integrity::kUntrusted);
  EXPECT_EQ(answer->model, "m");
  EXPECT_EQ(answer->finish_reason, FinishReason::kToolCalls);
  EXPECT_EQ(answer->usage.output_tokens, 4);
  ASSERT_EQ(answer->message.parts.size(), 3U);
  const auto& reasoning = std::get<ReasoningPart>(answer->message.parts[1]);
  EXPECT_EQ(reasoning.provider, "acme");
  EXPECT_EQ(reasoning.signature, "proof");
  const auto& call = std::get<ToolCall>(answer->message.parts[2]);
  EXPECT_FALSE(call.id.empty());
  EXPECT_EQ(call.arguments, "{}");
  EXPECT_EQ(call.signature, "s");
}

TEST_F(SourceModelTest, OverloadIsTriedAgainAndARefusalIsNot) {
  script.answers = {
      Error(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "plugin 'p': busy"),
      Says({TextPart{"a"}})};
  EXPECT_TRUE(Ask().ok());
  EXPECT_EQ(script.tries, 2);
  EXPECT_THAT(waits, ElementsAre(true));
  script.answers = {
      Error(absl::StatusCode::kUnauthenticated, ErrorReason::kAuth, "plugin 'p': no key")};
  const auto refused = Ask();
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kAuth);
  EXPECT_THAT(std::string(talon::Message(refused.status())),
              testing::AllOf(HasSubstr("model 'acme/m'"), HasSubstr("plugin 'p': no key")));
  EXPECT_EQ(script.tries, 3);
}

TEST_F(SourceModelTest, AfterTheFirstWordNothingIsTriedAgain) {
  script.shown = "Hel";
  script.answers = {Error(absl::StatusCode::kUnavailable, ErrorReason::kTransport, "broken off")};
  TextSink sink;
  EXPECT_EQ(ReasonOf(Ask(&sink).status()), ErrorReason::kTransport);
  EXPECT_EQ(sink.shown, "Hel");
  EXPECT_EQ(script.tries, 1);
}

TEST_F(SourceModelTest, AnAnswerThatIsTooLargeIsAnError) {
  options.max_answer = Bytes(3);
  script.answers = {Says({TextPart{"four"}})};
  const auto answer = Ask();
  EXPECT_TRUE(absl::IsResourceExhausted(answer.status())) << answer.status();
  EXPECT_EQ(script.tries, 1);
}

TEST_F(SourceModelTest, SecretsDoNotPassThroughErrors) {
  redactor.Register(Secret("hunter2hunter2"));
  script.answers = {Error(absl::StatusCode::kInvalidArgument, ErrorReason::kBadRequest,
                          "bad key hunter2hunter2")};
  EXPECT_EQ(std::string(talon::Message(Ask().status())).find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace talon::model
