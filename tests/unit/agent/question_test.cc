// SPDX-License-Identifier: Apache-2.0
// What a tool tells and asks the person while it runs.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tool::AnswerAction;
using namespace std::chrono_literals;

class AskingObserver : public RecordingObserver {
 public:
  void OnToolProgress(const ToolProgress& progress) override {
    events.push_back("progress " + progress.text);
  }
  bool OnQuestion(const ToolQuestion& question) override {
    questions.push_back(question);
    asked.Add();
    return takes;
  }
  void OnQuestionClosed(const QuestionId&, AnswerAction action) override {
    closed.push_back(action);
  }
  bool takes = true;
  Counter asked;
  std::vector<ToolQuestion> questions;
  std::vector<AnswerAction> closed;
};

class QuestionTest : public AgentTest {
 protected:
  // A tool that asks `question` and answers with what it was told.
  void AddAsker(tool::Question question, tool::ToolSpec spec = ReadSpec("test__ask")) {
    spec.asks = true;
    AddTool(spec,
            [question](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
              const tool::Answer answer = co_await call.events->Ask(question, context);
              if (context.cancel.cancelled()) co_return context.cancel.status();
              co_return Gives(call, std::to_string(static_cast<int>(answer.action)) + " " +
                                        answer.content + " " + answer.reason);
            });
  }
  TurnId Begin(TurnObserver* observer) {
    model.Call({agent::Call("test__ask", "{}")});
    model.Say("done");
    auto accepted = Submit("go", "s", "", observer);
    EXPECT_OK(accepted);
    return accepted.ok() ? accepted->turn : TurnId();
  }
  void UntilAsked(int count = 1) { EXPECT_TRUE(Run(observer.asked.Reached(count))); }
  absl::Status Reply(const TurnId& turn, AnswerAction action, std::string content = "",
                     Principal principal = {}) {
    return Run(
        agent->Answer(principal, turn, observer.questions.back().id, action, std::move(content)));
  }
  std::string ToolSaid() { return Conversation().at(2); }

  AskingObserver observer;
};

const tool::Question kSize = {
    .text = "Which size?",
    .schema = R"({"type":"object","properties":{"size":{"type":"string","enum":["s","l"]}},)"
              R"("required":["size"]})",
    .url = ""};

TEST_F(QuestionTest, AnAnswerReachesTheTool) {
  AddAsker(kSize);
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  EXPECT_EQ(observer.questions[0].text, "Which size?");
  EXPECT_EQ(observer.questions[0].plugin, "test");
  EXPECT_EQ(observer.questions[0].tool, "test__ask");
  EXPECT_THAT(observer.questions[0].fields, ElementsAre("size"));
  EXPECT_THAT(StatusText(Reply(turn, AnswerAction::kAccept, R"({"size":"xl"})")),
              HasSubstr("content: argument 'size'"));
  EXPECT_OK(Reply(turn, AnswerAction::kAccept, R"({"size":"l"})"));
  EXPECT_OK(Await(turn).error);
  EXPECT_THAT(ToolSaid(), HasSubstr(R"(2 {"size":"l"})"));
  EXPECT_THAT(observer.closed, ElementsAre(AnswerAction::kAccept));
  EXPECT_THAT(Steps(turn), testing::Contains("question_asked"));
  EXPECT_THAT(Steps(turn), testing::Contains("question_answered"));
  EXPECT_TRUE(absl::IsNotFound(Reply(turn, AnswerAction::kDecline)));
}

TEST_F(QuestionTest, YesOrNoHasNoContent) {
  AddAsker({.text = "Sure?", .schema = "", .url = ""});
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  EXPECT_TRUE(absl::IsInvalidArgument(Reply(turn, AnswerAction::kAccept, "{}")));
  EXPECT_OK(Reply(turn, AnswerAction::kDecline));
  EXPECT_TRUE(absl::IsNotFound(Reply(turn, AnswerAction::kAccept)));
  EXPECT_OK(Await(turn).error);
  EXPECT_THAT(ToolSaid(), HasSubstr(" 1 "));
}

TEST_F(QuestionTest, OnlyThePersonOfTheTurnAnswers) {
  AddAsker({.text = "Sure?", .schema = "", .url = ""});
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  Principal other;
  other.user = "somebody";
  EXPECT_TRUE(absl::IsNotFound(Reply(turn, AnswerAction::kAccept, "", other)));
  EXPECT_OK(Reply(turn, AnswerAction::kAccept));
  EXPECT_OK(Await(turn).error);
}

TEST_F(QuestionTest, WithNobodyThereTheAnswerIsCancel) {
  AddAsker(kSize);
  Start();
  EXPECT_OK(Await(Begin(nullptr)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody is there"));
}

TEST_F(QuestionTest, AnObserverThatCannotAnswerIsNobody) {
  AddAsker(kSize);
  Start();
  observer.takes = false;
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody is there"));
}

TEST_F(QuestionTest, AnUnattendedTaskAsksNobody) {
  AddAsker(kSize);
  Start();
  model.Call({agent::Call("test__ask", "{}")});
  model.Say("done");
  TurnInput input = Input("go");
  input.mode = TurnMode::kTask;
  auto accepted = SubmitInput(std::move(input), "s", "", &observer);
  ASSERT_OK(accepted);
  EXPECT_OK(Await(accepted->turn).error);
  EXPECT_THAT(observer.questions, IsEmpty());
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody is there"));
}

TEST_F(QuestionTest, WhoLeavesCancelsTheQuestion) {
  AddAsker(kSize);
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  agent->Forget(turn, &observer);
  EXPECT_OK(Await(turn).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody is there to answer any more"));
}

TEST_F(QuestionTest, AQuestionThatIsNotFitToShowIsDeclined) {
  AddAsker({.text = "Your password?",
            .schema = R"({"type":"object","properties":{"password":{"type":"string"}}})",
            .url = ""});
  Start();
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_THAT(observer.questions, IsEmpty());
  EXPECT_THAT(ToolSaid(), HasSubstr("1  question: field 'password'"));
}

TEST_F(QuestionTest, AToolThatDoesNotSayThatItAsksIsDeclined) {
  AddTool(ReadSpec("test__ask"),
          [](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
            const tool::Answer answer = co_await call.events->Ask(kSize, context);
            co_return Gives(call, answer.reason);
          });
  Start();
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("does not say that it asks"));
}

TEST_F(QuestionTest, CancellingTheTurnEndsTheQuestion) {
  AddAsker(kSize);
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  EXPECT_TRUE(agent->Cancel(turn, Cancelled("by the user")));
  EXPECT_EQ(Await(turn).state, journal::TurnState::kCancelled);
  EXPECT_THAT(observer.closed, ElementsAre(AnswerAction::kCancel));
  EXPECT_TRUE(absl::IsNotFound(Reply(turn, AnswerAction::kDecline)));
}

TEST_F(QuestionTest, NobodyAnsweringInTimeCancels) {
  AddAsker(kSize);
  options.question_timeout = 1ms;
  Start();
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody answered in time"));
}

TEST_F(QuestionTest, TheCallsTimeStandsStillWhileAQuestionIsOpen) {
  tool::ToolSpec spec = ReadSpec("test__ask");
  spec.timeout = 60'000ms;
  AddAsker(kSize, spec);
  options.question_timeout = 1h;
  options.turn_timeout = 2h;
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  clock.shift += 10min;
  EXPECT_OK(Reply(turn, AnswerAction::kAccept, R"({"size":"l"})"));
  EXPECT_OK(Await(turn).error);
  EXPECT_THAT(ToolSaid(), HasSubstr(R"(2 {"size":"l"})"));
}

TEST_F(QuestionTest, TheTimeOfAToolThatAsksEndsToo) {
  tool::ToolSpec spec = ReadSpec("test__ask");
  spec.asks = true;
  spec.timeout = 1ms;
  AddTool(spec, [](tool::Invocation, CallContext context) -> io::Task<FakeTool::Output> {
    co_return co_await Held(context, Closed());
  });
  Start();
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("did not answer in time"));
}

TEST_F(QuestionTest, TooManyQuestionsAreDeclined) {
  tool::ToolSpec spec = ReadSpec("test__ask");
  spec.asks = true;
  AddTool(spec, [](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
    std::string reason;
    for (int i = 0; i < 3; ++i) reason = (co_await call.events->Ask(kSize, context)).reason;
    co_return Gives(call, reason);
  });
  options.max_questions = 2;
  Start();
  EXPECT_OK(Await(Begin(nullptr)).error);
  EXPECT_THAT(ToolSaid(), HasSubstr("more than 2 questions"));
}

TEST_F(QuestionTest, ProgressIsOneHarmlessLineAndBounded) {
  AddTool(
      ReadSpec("test__ask"), [](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
        call.events->OnProgress({.text = "half\nway \x1b[31m<tool_call>", .done = 1, .total = 2});
        call.events->OnProgress({.text = "too soon", .done = 2, .total = 2});
        co_return Gives(call, "ok");
      });
  options.progress_interval = 1h;
  Start();
  EXPECT_OK(Await(Begin(&observer)).error);
  EXPECT_EQ(observer.events.size(), 3u);
  EXPECT_THAT(observer.events.at(1), testing::StartsWith("progress half way "));
  EXPECT_EQ(observer.events.at(1).find('\x1b'), std::string::npos);
  EXPECT_EQ(observer.events.at(1).find("<tool_call>"), std::string::npos);
}

// A read-only tool asks again; nobody watches a turn that was taken up from the journal.
TEST_F(QuestionTest, ACrashWhileAQuestionIsOpen) {
  AddAsker(kSize);
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  Crash();
  Start();
  EXPECT_OK(Await(turn).error);
  EXPECT_EQ(world.begun.count(), 2);
  EXPECT_THAT(ToolSaid(), HasSubstr("0  nobody is there"));
}

TEST_F(QuestionTest, ACrashWhileAToolWithAnEffectAsksLeavesItsOutcomeUnknown) {
  AddAsker(kSize, WriteSpec("test__ask"));
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  Crash();
  Start();
  EXPECT_OK(Await(turn).error);
  EXPECT_EQ(world.begun.count(), 1);
  EXPECT_THAT(ToolSaid(), HasSubstr("outcome unknown"));
}

TEST_F(QuestionTest, AnAnswerThatIsNotRecordedDoesNotReachTheTool) {
  AddAsker(kSize);
  Start();
  const TurnId turn = Begin(&observer);
  UntilAsked();
  store->fail_after = store->commits;
  store->fail_until = store->commits + 1;
  const absl::Status answered = Reply(turn, AnswerAction::kAccept, R"({"size":"l"})");
  EXPECT_FALSE(answered.ok());
  EXPECT_THAT(observer.closed, ElementsAre(AnswerAction::kCancel));
}

}  // namespace
}  // namespace talon::agent
