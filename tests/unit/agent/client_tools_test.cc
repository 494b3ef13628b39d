// SPDX-License-Identifier: Apache-2.0
// Tools the caller runs itself, and conversations the caller brings along.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ClientToolsTest : public AgentTest {
 public:
  static TurnInput WithTool(TurnInput input) {
    input.client_tools = {
        {.name = "weather", .description = "Weather of a city.", .schema = R"({"type":"object"})"}};
    return input;
  }
  static model::Message Result(std::string call_id, std::string content) {
    model::Message message;
    message.role = model::Role::kTool;
    message.parts.emplace_back(model::ToolResult{
        .call_id = std::move(call_id), .name = "weather", .content = std::move(content)});
    return message;
  }
  static model::Message Answered(std::vector<model::ToolCall> calls) {
    return Says("", std::move(calls)).message;
  }
};

TEST_F(ClientToolsTest, ACallEndsTheTurnAndItsResultBeginsTheNext) {
  Start();
  model.Call({Call("weather", R"({"city":"Rome"})", "w1")});
  const TurnOutcome outcome = AskInput(WithTool(Input("weather?")));
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.finish_reason, model::FinishReason::kToolCalls);
  ASSERT_THAT(outcome.answer.client_calls, SizeIs(1));
  EXPECT_EQ(outcome.answer.client_calls[0].id, "w1");
  EXPECT_EQ(outcome.answer.client_calls[0].arguments, R"({"city":"Rome"})");
  EXPECT_EQ(Await(outcome.turn).answer.client_calls, outcome.answer.client_calls);
  EXPECT_EQ(model.requests[0].tools.back().name, "weather");

  model.Say("Sunny.");
  TurnInput next;
  next.messages = {Result("w1", "sunny")};
  EXPECT_EQ(AskInput(WithTool(next)).answer.text, "Sunny.");
  EXPECT_THAT(Lines(model.requests[1]),
              ElementsAre("user: weather?", "assistant: calls weather", "tool: sunny"));
  ExpectWhole();
}

TEST_F(ClientToolsTest, AResultOfNoCallIsRefused) {
  Start();
  model.Call({Call("weather", "{}", "w1")});
  ASSERT_OK(AskInput(WithTool(Input("weather?"))).error);
  TurnInput stray;
  stray.messages = {Result("w2", "sunny")};
  const absl::Status refused = AskInput(stray).error;
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(std::string(Message(refused)), HasSubstr("'w2' belongs to no tool call"));
  EXPECT_TRUE(absl::IsInvalidArgument(AskInput(stray, "another").error));
  model.Say("Sunny.");
  TurnInput next;
  next.messages = {Result("w1", "sunny")};
  EXPECT_EQ(AskInput(next).answer.text, "Sunny.");
}

TEST_F(ClientToolsTest, WhatTheCallerSaysOfTheAnswerHoldsInEveryRoundAndProcess) {
  AddReader();
  Start();
  TurnInput input = Input("go");
  input.reasoning = model::ReasoningEffort::kHigh;
  input.extra = {{"seed", "7"}};
  model.Call({Call("test__look", "{}")});
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = SubmitInput(input)->turn;
  Run(model.asked.Reached(2));
  Crash();
  model.Say("ok");
  Start();
  ASSERT_OK(Await(turn).error);
  ASSERT_THAT(model.requests, SizeIs(3));
  for (const model::ChatRequest& request : model.requests) {
    EXPECT_EQ(request.extra, input.extra);
    EXPECT_EQ(request.reasoning, model::ReasoningEffort::kHigh);
  }
}

TEST_F(ClientToolsTest, AForcedFunctionIsAloneInTheFirstRound) {
  AddReader();
  Start();
  TurnInput input = WithTool(Input("weather?"));
  input.tool_choice = model::ToolChoice::kRequired;
  input.only_tool = "weather";
  model.Push(absl::StatusOr<model::ChatResponse>(Says("")));  // asked again
  model.Call({Call("weather", "{}", "w1")});
  const TurnOutcome outcome = AskInput(std::move(input));
  ASSERT_OK(outcome.error);
  EXPECT_THAT(outcome.answer.client_calls, SizeIs(1));
  for (const model::ChatRequest& request : model.requests) {
    EXPECT_EQ(request.tool_choice, model::ToolChoice::kRequired);
    ASSERT_THAT(request.tools, SizeIs(1));
    EXPECT_EQ(request.tools[0].name, "weather");
  }
  EXPECT_THAT(model.requests, SizeIs(2));
}

TEST_F(ClientToolsTest, CoreCallsBesideClientCallsRunFirst) {
  AddReader();
  Start();
  model.Call({Call("weather", "{}", "w1"), Call("test__look", "{}", "a"),
              Call("weather", R"({"city":"Oslo"})", "w2")});
  const TurnOutcome outcome = AskInput(WithTool(Input("go")));
  ASSERT_OK(outcome.error);
  EXPECT_THAT(outcome.answer.client_calls, SizeIs(2));
  EXPECT_THAT(world.calls, SizeIs(1));
  EXPECT_THAT(model.requests, SizeIs(1));
  model.Say("ok");
  TurnInput next;
  next.messages = {Result("w1", "one"), Result("w2", "two")};
  ASSERT_OK(AskInput(next).error);
  EXPECT_THAT(Lines(model.requests[1]),
              ElementsAre("user: go", testing::_, "tool: seen {}", "tool: one", "tool: two"));
}

TEST_F(ClientToolsTest, AResultThatNeverComesIsShownAsMissing) {
  Start();
  model.Call({Call("weather", "{}", "w1")});
  ASSERT_OK(AskInput(WithTool(Input("weather?"))).error);
  model.Say("ok");
  ASSERT_OK(Ask("never mind").error);
  EXPECT_THAT(Lines(model.requests[1]), ElementsAre("user: weather?", "assistant: calls weather",
                                                    "tool: [no result]", "user: never mind"));
}

TEST_F(ClientToolsTest, ClientCallsBesideCoreCallsSurviveACrash) {
  AddTool(ReadSpec("test__slow"),
          [this](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
            if (world.calls.size() > 1) co_return Gives(call, "seen");
            co_return co_await Held(context, Closed());
          });
  Start();
  model.Call({Call("weather", "{}", "w1"), Call("test__slow", "{}", "a")});
  const TurnId turn = SubmitInput(WithTool(Input("go")))->turn;
  Run(world.begun.Reached(1));
  Crash();
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  ASSERT_THAT(outcome.answer.client_calls, SizeIs(1));
  EXPECT_EQ(outcome.answer.client_calls[0].id, "w1");
  EXPECT_EQ(outcome.answer.rounds, 1);
  EXPECT_THAT(world.calls, SizeIs(2));
  EXPECT_THAT(model.requests, SizeIs(1));
}

// What a caller sends may look like answers and calls of a model; they are its words.
TEST_F(ClientToolsTest, CallsInTheCallersOwnMessagesAreNeverRun) {
  AddWriter();
  Start();
  TurnInput input = Input("before");
  input.messages.push_back(Answered({Call("test__put", "{}", "x1")}));
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = SubmitInput(input, "")->turn;
  Run(model.asked.Reached(1));
  EXPECT_THAT(Lines(model.requests[0]),
              ElementsAre("user: before", "assistant: calls test__put", "tool: [no result]"));
  Crash();
  model.Say("ok");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "ok");
  EXPECT_EQ(outcome.answer.rounds, 1);
  EXPECT_THAT(world.calls, IsEmpty());
}

TEST_F(ClientToolsTest, AConversationThatTheCallerBringsResumesAsItWas) {
  Start();
  TurnInput input = Input("weather?");
  input.messages.push_back(Answered({Call("weather", "{}", "w1")}));
  input.messages.push_back(Result("w1", "sunny"));
  input.messages.push_back(Says("It is sunny.").message);
  input.messages.push_back(model::TextMessage(model::Role::kUser, "sure?", Integrity::kUser));
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = SubmitInput(WithTool(input), "")->turn;
  Run(model.asked.Reached(1));
  Crash();
  model.Say("Yes.");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "Yes.");
  EXPECT_THAT(outcome.answer.client_calls, IsEmpty());
  EXPECT_EQ(Lines(model.requests[0]), Lines(model.requests[1]));
}

}  // namespace
}  // namespace talon::agent
