// SPDX-License-Identifier: Apache-2.0
// Answers that are put right, and answers that are only text.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using RepairTest = AgentTest;

absl::Status TooLong() {
  return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kContextTooLong,
                   "model 'fake/m': prompt too long");
}

TEST_F(RepairTest, AnEmptyAnswerIsAskedForAgain) {
  Start();
  model.Say(" \n");
  model.Say("Hello.");
  const TurnOutcome outcome = Ask("hi");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "Hello.");
  EXPECT_EQ(outcome.answer.rounds, 1);
  EXPECT_THAT(Lines(model.requests[1]),
              ElementsAre("user: hi", HasSubstr("Your last answer was empty")));
  EXPECT_THAT(Steps(outcome.turn), Contains("repair empty_answer"));
  EXPECT_THAT(Conversation(), ElementsAre("user: hi", "assistant: Hello."));
  ExpectWhole();
}

TEST_F(RepairTest, EmptyAnswersEndTheTurnAfterMaxRepairs) {
  options.max_repairs = 2;
  Start();
  for (int i = 0; i < 3; ++i) model.Say("");
  const TurnOutcome outcome = Ask("hi");
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  EXPECT_TRUE(absl::IsUnavailable(outcome.error));
  EXPECT_THAT(std::string(Message(outcome.error)),
              HasSubstr("model 'fake/m' gave an empty answer"));
  EXPECT_THAT(model.requests, SizeIs(3));
  EXPECT_THAT(Steps(outcome.turn), Contains("repair empty_answer").Times(2));
}

TEST_F(RepairTest, RepairsAreCountedOverTheTurn) {
  options.max_repairs = 2;
  AddReader();
  Start();
  model.Say("");
  model.Say("");
  model.Call({Call("test__look", "{}")});
  model.Say("");
  const TurnOutcome outcome = Ask("hi");
  EXPECT_TRUE(absl::IsUnavailable(outcome.error));
  EXPECT_THAT(model.requests, SizeIs(4));
}

TEST_F(RepairTest, AnEmptyForcedAnswerIsNotAskedForAgain) {
  options.max_rounds_chat = 1;
  AddReader();
  Start();
  model.Call({Call("test__look", "{}")});
  model.Say("");
  const TurnOutcome outcome = Ask("hi");
  ASSERT_OK(outcome.error);
  EXPECT_THAT(outcome.answer.text, HasSubstr("Ask me to continue"));
}

TEST_F(RepairTest, AFilteredAnswerIsNotAskedForAgain) {
  Start();
  model::ChatResponse response = Says("");
  response.finish_reason = model::FinishReason::kContentFilter;
  model.Push(Answer(response));
  const TurnOutcome outcome = Ask("hi");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.finish_reason, model::FinishReason::kContentFilter);
}

TEST_F(RepairTest, APromptThatIsTooLongIsAskedAgainOnceWithLess) {
  Start();
  for (int i = 0; i < 4; ++i) {
    model.Say("answer");
    ASSERT_OK(Ask("question " + std::to_string(i) + std::string(2000, 'x')).error);
  }
  model.Push(Answer(TooLong()));
  model.Say("short");
  const TurnOutcome outcome = Ask("last");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "short");
  const auto before = Lines(model.requests[4]);
  const auto after = Lines(model.requests[5]);
  EXPECT_THAT(before, SizeIs(9));
  EXPECT_LE(after.size(), 5u);
  EXPECT_EQ(after.back(), "user: last");
  EXPECT_THAT(Steps(outcome.turn),
              ElementsAre("accepted", "model_started", "model_failed", "repair context_too_long",
                          "model_started", "model_finished", "finished"));
}

TEST_F(RepairTest, ASmallerWindowHoldsForTheRestOfTheTurn) {
  AddReader();
  Start();
  for (int i = 0; i < 4; ++i) {
    model.Say("answer");
    ASSERT_OK(Ask("question " + std::to_string(i) + std::string(2000, 'x')).error);
  }
  model.Push(Answer(TooLong()));
  model.Call({Call("test__look", "{}")});
  model.Say("done");
  ASSERT_OK(Ask("last").error);
  EXPECT_LE(model.requests[6].messages.size(), model.requests[5].messages.size() + 2);
}

TEST_F(RepairTest, APromptThatIsStillTooLongFailsTheTurn) {
  Start();
  model.Push(Answer(TooLong()));
  model.Push(Answer(TooLong()));
  const TurnOutcome outcome = Ask("hi");
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  EXPECT_EQ(ReasonOf(outcome.error), ErrorReason::kContextTooLong);
  EXPECT_EQ(ReasonOf(Await(outcome.turn).error), ErrorReason::kContextTooLong);
  EXPECT_THAT(model.requests, SizeIs(2));
}

TEST_F(RepairTest, AFailureKeepsReasonAndRetryAfter) {
  Start();
  model.Push(Answer(WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kRateLimited, "slow down"),
      7000)));
  const TurnOutcome outcome = Ask("hi");
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  const TurnOutcome stored = Await(outcome.turn);
  EXPECT_EQ(stored.state, journal::TurnState::kFailed);
  EXPECT_EQ(stored.error.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(stored.error), ErrorReason::kRateLimited);
  EXPECT_EQ(RetryAfterMsOf(stored.error), 7000);
}

TEST_F(RepairTest, TheNextTurnFollowsAFailedOne) {
  Start();
  model.Push(Answer(Unavailable("down")));
  model.Say("ok");
  EXPECT_FALSE(Ask("one").error.ok());
  ASSERT_OK(Ask("two").error);
  EXPECT_THAT(Conversation(), ElementsAre("user: one", "user: two", "assistant: ok"));
  ExpectWhole();
}

// Text is never a call, whatever it looks like, and is never asked for again.
class PlainTextTest : public AgentTest, public testing::WithParamInterface<const char*> {};

TEST_P(PlainTextTest, IsTheAnswer) {
  AddReader("shell__run");
  AddReader("files__read");
  Start();
  model.Say(GetParam());
  const TurnOutcome outcome = Ask("hi");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, TrimSpace(GetParam()));
  EXPECT_EQ(outcome.answer.rounds, 1);
  EXPECT_THAT(model.requests, SizeIs(1));
  EXPECT_THAT(world.calls, IsEmpty());
  EXPECT_THAT(Steps(outcome.turn), Not(Contains(HasSubstr("repair"))));
}

INSTANTIATE_TEST_SUITE_P(
    LooksLikeACall, PlainTextTest,
    testing::Values(
        "You can use docker-compose to start it.", "Please check example.com for details.",
        "Let me check that I understood: you want two files.",
        "I will now read the file with files__read.", "I'll call shell__run to do it.",
        R"({"name":"shell__run","arguments":{"q":"ls"}})",
        R"({"tool":"files__read","args":{"q":"a.txt"}})",
        R"([{"type":"function","function":{"name":"shell__run","arguments":"{}"}}])",
        "```json\n{\"tool_calls\":[{\"name\":\"shell__run\",\"arguments\":{}}]}\n```",
        "```tool_code\nprint(files__read(q='x'))\n```",
        "<invoke name=\"shell__run\"><parameter name=\"q\">ls</parameter></invoke>",
        "<function_calls><invoke name=\"files__read\"></invoke></function_calls>",
        "<tool_call>{\"name\": \"shell__run\", \"arguments\": {\"q\": \"ls\"}}</tool_call>",
        "[tool_call] {\"tool\": \"shell__run\", \"args\": {\"q\": \"rm\"}} [/tool_call]",
        "[TOOL_CALLS] [{\"name\": \"shell__run\", \"arguments\": {}}]",
        "<|python_tag|>shell__run(q=\"ls\")", "functions.shell__run:0{\"q\":\"ls\"}",
        "files__read({\"q\": \"a.txt\"})", "/tool shell__run q=ls",
        "Action: shell__run\nAction Input: {\"q\": \"ls\"}",
        "[plugin_output plugin=x tool=y]\nrun shell__run\n[/plugin_output]"));

}  // namespace
}  // namespace talon::agent
