// SPDX-License-Identifier: Apache-2.0
// Advice in a turn: what hooks refuse, rewrite and see, and what is recorded of it.
#include "hook/hooks.h"
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using hook::Decision;
using hook::Joinpoint;
using hook::Moment;
using hook::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Advises at one joinpoint, as the test says.
class FakeAdviser : public hook::Adviser {
 public:
  using Said = absl::StatusOr<Decision>;
  FakeAdviser(std::string name, Joinpoint at, std::function<Said(const Moment&)> say)
      : name_(std::move(name)), at_(at), say_(std::move(say)) {}
  const std::string& name() const override { return name_; }
  bool Advises(Joinpoint at) const override { return at == at_; }
  int priority() const override { return order; }
  bool fail_open() const override { return open; }
  io::Task<Said> Advise(Moment moment, CallContext) override {
    seen.push_back(moment);
    co_return say_(moment);
  }

  int order = 0;
  bool open = false;
  std::vector<Moment> seen;

 private:
  const std::string name_;
  const Joinpoint at_;
  const std::function<Said(const Moment&)> say_;
};

Decision Block(std::string reason) {
  Decision decision;
  decision.verdict = Verdict::kBlock;
  decision.reason = std::move(reason);
  return decision;
}
Decision Rewrite(std::string value) {
  Decision decision;
  decision.verdict = Verdict::kRewrite;
  decision.value = std::move(value);
  return decision;
}

class AdviceTest : public AgentTest {
 protected:
  FakeAdviser& Hook(Joinpoint at, std::function<FakeAdviser::Said(const Moment&)> say,
                    std::string name = "h") {
    auto adviser = std::make_unique<FakeAdviser>(std::move(name), at, std::move(say));
    FakeAdviser& added = *adviser;
    hooks.Add(std::move(adviser));
    return added;
  }
  std::vector<std::string> AdviceOf(const TurnId& turn) {
    std::vector<std::string> steps;
    for (const Json& data : StepData(turn, journal::StepKind::kAdvice)) {
      steps.push_back(DumpJson(data));
    }
    return steps;
  }
};

TEST_F(AdviceTest, InputIsRewrittenBeforeTheModelOrTheSessionHasIt) {
  FakeAdviser& adviser =
      Hook(Joinpoint::kInputReceived, [](const Moment&) { return Rewrite("my *** is"); });
  Start();
  model.Say("fine");
  const TurnOutcome outcome = Ask("my pin is");
  EXPECT_OK(outcome.error);
  ASSERT_THAT(adviser.seen, SizeIs(1));
  EXPECT_EQ(adviser.seen[0].value, "my pin is");
  EXPECT_EQ(adviser.seen[0].turn, outcome.turn);
  EXPECT_THAT(Conversation(), ElementsAre("user: my *** is", "assistant: fine"));
  EXPECT_THAT(AdviceOf(outcome.turn),
              ElementsAre(R"({"hook":"h","joinpoint":"input.received","verdict":"rewrite"})"));
}

TEST_F(AdviceTest, ARefusedInputEndsTheTurnBeforeTheModelIsAsked) {
  Hook(Joinpoint::kInputReceived, [](const Moment&) { return Block("not here"); });
  Start();
  const TurnOutcome outcome = Ask("my pin is");
  EXPECT_TRUE(absl::IsPermissionDenied(outcome.error));
  EXPECT_EQ(Message(outcome.error), "the message was refused: hook 'h': not here");
  EXPECT_THAT(model.requests, IsEmpty());
  EXPECT_THAT(Conversation(), IsEmpty());
  EXPECT_THAT(AdviceOf(outcome.turn), ElementsAre(HasSubstr("not here")));
}

TEST_F(AdviceTest, ARewrittenCallPassesTheGuardAgain) {
  AddReader();
  std::string instead = R"({"q":"clean"})";
  Hook(Joinpoint::kToolBeforeCall, [&](const Moment& moment) {
    EXPECT_EQ(moment.tool, "test__look");
    return Rewrite(instead);
  });
  Start();
  model.Call({Call("test__look", R"({"q":"dirty"})")});
  model.Say("done");
  EXPECT_OK(Ask("look").error);
  EXPECT_THAT(Conversation().at(2), HasSubstr("clean"));
  instead = R"({"unknown":1})";
  model.Call({Call("test__look", R"({"q":"dirty"})")});
  model.Say("done");
  EXPECT_OK(Ask("look").error);
  EXPECT_THAT(Conversation().at(6), HasSubstr("what a hook made of the call"));
}

TEST_F(AdviceTest, ARefusedCallDoesNotRunAndTheModelIsToldWhy) {
  AddWriter();
  Hook(Joinpoint::kToolBeforeCall, [](const Moment&) { return Block("hands off"); });
  Start();
  model.Call({Call("test__put", "{}")});
  model.Say("I may not");
  EXPECT_OK(Ask("put").error);
  EXPECT_THAT(world.effects, IsEmpty());
  EXPECT_THAT(Conversation().at(2), HasSubstr("hook 'h': hands off"));
}

TEST_F(AdviceTest, AResultIsRewrittenBeforeItIsWrapped) {
  AddReader();
  FakeAdviser& adviser = Hook(Joinpoint::kToolResultReceived,
                              [](const Moment&) { return Rewrite("[tool_call] masked"); });
  Start();
  model.Call({Call("test__look", R"({"q":"b"})")});
  model.Say("done");
  EXPECT_OK(Ask("look").error);
  EXPECT_THAT(adviser.seen.at(0).value, HasSubstr("seen"));
  EXPECT_THAT(adviser.seen.at(0).value, Not(HasSubstr("plugin_output")));
  EXPECT_EQ(Conversation().at(2), "tool: [~tool_call] masked") << "sanitised and wrapped";
}

TEST_F(AdviceTest, AWithheldResultIsAnErrorButTheEffectIsDone) {
  AddWriter();
  Hook(Joinpoint::kToolResultReceived, [](const Moment&) { return Block("a secret"); });
  Start();
  model.Call({Call("test__put", "{}")});
  model.Say("done");
  const TurnOutcome outcome = Ask("put");
  EXPECT_THAT(world.effects, SizeIs(1));
  EXPECT_THAT(Conversation().at(2), HasSubstr("hook 'h': a secret"));
  EXPECT_EQ(Effects(outcome.turn).at(0).state, journal::EffectState::kDone);
}

TEST_F(AdviceTest, AnAnswerIsHeldBackUntilItWasSeen) {
  Hook(Joinpoint::kResponseBeforeFinal,
       [](const Moment& moment) { return Rewrite("[" + moment.value + "]"); });
  Start();
  model.Say("the answer");
  RecordingObserver observer;
  const auto accepted = Submit("well?", "s", "", &observer);
  ASSERT_OK(accepted);
  EXPECT_EQ(Await(accepted->turn).answer.text, "[the answer]");
  EXPECT_EQ(observer.text, "[the answer]");
  EXPECT_EQ(Conversation().back(), "assistant: [the answer]");
}

TEST_F(AdviceTest, ARefusedAnswerIsSeenByNobodyAndKeptNowhere) {
  Hook(Joinpoint::kResponseBeforeFinal, [](const Moment&) { return Block("no"); });
  Start();
  model.Say("the answer");
  RecordingObserver observer;
  const auto accepted = Submit("well?", "s", "", &observer);
  ASSERT_OK(accepted);
  EXPECT_EQ(Message(Await(accepted->turn).error), "the answer was refused: hook 'h': no");
  EXPECT_EQ(observer.text, "");
  EXPECT_THAT(Conversation(), ElementsAre("user: well?"));
}

TEST_F(AdviceTest, PriorityDecidesAndEachSeesWhatWasLeft) {
  FakeAdviser& low = Hook(
      Joinpoint::kInputReceived, [](const Moment& m) { return Rewrite(m.value + "-low"); }, "low");
  FakeAdviser& high = Hook(
      Joinpoint::kInputReceived, [](const Moment& m) { return Rewrite(m.value + "-high"); },
      "high");
  low.order = 1;
  high.order = 2;
  Start();
  model.Say("ok");
  EXPECT_OK(Ask("x").error);
  EXPECT_EQ(high.seen.at(0).value, "x");
  EXPECT_EQ(low.seen.at(0).value, "x-high");
  EXPECT_EQ(Conversation().at(0), "user: x-high-low");
}

TEST_F(AdviceTest, AFailureRefusesUnlessTheHookMayBeSkipped) {
  FakeAdviser& adviser =
      Hook(Joinpoint::kInputReceived, [](const Moment&) { return Unavailable("it has crashed"); });
  Start();
  EXPECT_EQ(Message(Ask("x").error),
            "the message was refused: hook 'h': hook 'h' cannot answer now, and without it nothing "
            "passes");
  adviser.open = true;
  model.Say("ok");
  const TurnOutcome outcome = Ask("x");
  EXPECT_OK(outcome.error);
  EXPECT_THAT(AdviceOf(outcome.turn), ElementsAre(HasSubstr("it failed and was skipped")));
}

}  // namespace
}  // namespace talon::agent
