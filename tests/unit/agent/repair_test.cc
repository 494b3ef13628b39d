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

TEST_F(RepairTest, AMalformedCallIsAskedForAgain) {
  AddReader();
  Start();
  for (const char* arguments : {R"({"q":"cut)", R"(["q"])", "q"}) {
    world.calls.clear();
    model.requests.clear();
    model.Call({Call("test__look", R"({"q":"good"})"), Call("test__look", arguments)});
    model.Call({Call("test__look", R"({"q":"whole"})")});
    model.Say("done");
    const TurnOutcome outcome = Ask("go", arguments);
    ASSERT_OK(outcome.error);
    EXPECT_EQ(outcome.answer.text, "done");
    // Nothing of the malformed answer ran, and it is not in the conversation.
    ASSERT_THAT(world.calls, SizeIs(1));
    EXPECT_EQ(world.calls[0].arguments, R"({"q":"whole"})");
    EXPECT_THAT(Lines(model.requests[1]),
                ElementsAre("user: go", HasSubstr("arguments that are not a JSON object")));
    EXPECT_THAT(Conversation(arguments), ElementsAre("user: go", "assistant: calls test__look",
                                                     HasSubstr("whole"), "assistant: done"));
    EXPECT_THAT(Steps(outcome.turn), Contains("repair malformed_call").Times(1));
    EXPECT_THAT(StepData(outcome.turn, journal::StepKind::kRepair)[0]["tool"], "test__look");
    ExpectWhole(arguments);
  }
}

TEST_F(RepairTest, AMalformedCallThatComesAgainIsRefusedInTheEnd) {
  options.max_repairs = 2;
  AddReader();
  Start();
  for (int i = 0; i < 3; ++i) model.Call({Call("test__look", "{not json")});
  model.Say("I cannot");
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "I cannot");
  EXPECT_THAT(world.calls, IsEmpty());
  EXPECT_THAT(Steps(outcome.turn), Contains("repair malformed_call").Times(2));
  EXPECT_THAT(Lines(model.requests.back()).back(), HasSubstr("error: tool 'test__look'"));
  ExpectWhole();
}

TEST_F(RepairTest, WhatWasSaidBesideAMalformedCallStays) {
  AddReader();
  Start();
  model.Push(Answer(Says("Let me look.", {Call("test__look", "{")})));
  model.Say("There is nothing.");
  RecordingObserver observer;
  const auto accepted = Submit("go", "s", "", &observer);
  ASSERT_OK(accepted);
  const TurnOutcome outcome = Await(accepted->turn);
  EXPECT_EQ(outcome.answer.text, "Let me look.\n\nThere is nothing.");
  EXPECT_EQ(observer.text, outcome.answer.text);
  EXPECT_THAT(Conversation(),
              ElementsAre("user: go", "assistant: Let me look.", "assistant: There is nothing."));
  ExpectWhole();
}

TEST_F(RepairTest, ACallersToolGetsNoMalformedArguments) {
  Start();
  TurnInput input = Input("go");
  input.client_tools.push_back({.name = "theirs", .description = "", .schema = "{}"});
  model.Call({Call("theirs", R"({"a":)")});
  model.Call({Call("theirs", R"({"a":1})")});
  const TurnOutcome outcome = AskInput(std::move(input));
  ASSERT_OK(outcome.error);
  ASSERT_THAT(outcome.answer.client_calls, SizeIs(1));
  EXPECT_EQ(outcome.answer.client_calls[0].arguments, R"({"a":1})");
}

TEST_F(RepairTest, RepairsOfMalformedCallsGoOnCountingAfterACrash) {
  options.max_repairs = 1;
  AddReader();
  Start();
  model.Call({Call("test__look", "{")});
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("go")->turn;
  Run(model.asked.Reached(2));
  Crash();
  model.Call({Call("test__look", "{")});
  model.Say("done");
  Start();
  ASSERT_OK(Await(turn).error);
  EXPECT_THAT(Steps(turn), Contains("repair malformed_call").Times(1));
  EXPECT_THAT(Steps(turn), Contains("tool_finished refused"));
}

TEST_F(RepairTest, AModelThatTakesOverGetsWhatFitsItsWindow) {
  model::ModelEntry small;
  small.id = "small";
  small.context_window = 2048;
  models.providers["fake"].models.push_back(small);
  routing.fallbacks = {"fake/small"};
  AddReader();
  Start();
  for (int i = 0; i < 4; ++i) {
    model.Say("answer");
    ASSERT_OK(Ask("question " + std::to_string(i) + std::string(2000, 'x')).error);
  }
  model.requests.clear();
  model.Push(Answer(
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "model 'fake/m': busy")));
  model.Say("short");
  const TurnOutcome outcome = Ask("last");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.model, "fake/small");
  ASSERT_THAT(model.requests, SizeIs(2));
  EXPECT_EQ(model.requests[0].model, "m");
  EXPECT_THAT(model.requests[0].messages, SizeIs(9));
  EXPECT_EQ(model.requests[1].model, "small");
  EXPECT_LE(model.requests[1].messages.size(), 5u);
  EXPECT_EQ(Lines(model.requests[1]).back(), "user: last");
  // What was sent to whom is in the journal, before it was sent.
  EXPECT_THAT(Steps(outcome.turn), ElementsAre("accepted", "model_started", "model_failed",
                                               "model_started", "model_finished", "finished"));
  const std::vector<Json> started = StepData(outcome.turn, journal::StepKind::kModelStarted);
  EXPECT_EQ(started[0]["model"], "fake/m");
  EXPECT_EQ(started[1]["model"], "fake/small");
  EXPECT_EQ(started[1]["messages"], model.requests[1].messages.size());
  EXPECT_LT(started[1]["estimate"], 2048);
  auto snapshot = Run(journal->LoadSnapshot(started[1]["prompt"]));
  ASSERT_OK(snapshot);
  EXPECT_THAT(*snapshot, HasSubstr("test__look"));
}

TEST_F(RepairTest, NoModelTakesOverBeforeItsRequestIsRecorded) {
  models.providers["fake"].models.push_back({.id = "small"});
  routing.fallbacks = {"fake/small"};
  Start();
  model.Push([this](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    store->fail_after = 0;
    co_return Answer(MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "busy"));
  });
  EXPECT_FALSE(Ask("hi").error.ok());
  EXPECT_THAT(model.requests, SizeIs(1));
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
