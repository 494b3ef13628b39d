// SPDX-License-Identifier: Apache-2.0
// Rounds of a turn: answers, calls, results, limits.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using RoundsTest = AgentTest;

TEST_F(RoundsTest, AnswersInOneRound) {
  Start();
  model.Say("  Hello.  ");
  RecordingObserver observer;
  const auto accepted = Submit("hi", "s", "", &observer);
  ASSERT_OK(accepted);
  EXPECT_FALSE(accepted->duplicate);
  const TurnOutcome outcome = Await(accepted->turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.state, journal::TurnState::kCompleted);
  EXPECT_EQ(outcome.answer.text, "Hello.");
  EXPECT_EQ(outcome.answer.rounds, 1);
  EXPECT_EQ(outcome.answer.model, "fake/m");
  EXPECT_EQ(outcome.answer.usage.input_tokens, 10);
  EXPECT_DOUBLE_EQ(outcome.answer.cost_usd, 12);
  EXPECT_THAT(Conversation(), ElementsAre("user: hi", "assistant:   Hello.  "));
  EXPECT_THAT(Steps(accepted->turn),
              ElementsAre("accepted", "model_started", "model_finished", "finished"));
  EXPECT_THAT(observer.ends, SizeIs(1));
  EXPECT_EQ(Record(accepted->turn).state, journal::TurnState::kCompleted);
  // Arrival, and answer: nothing else was waited for.
  EXPECT_EQ(store->commits, 2);
  ExpectWhole();
}

TEST_F(RoundsTest, AnEndedTurnCanBeAwaitedAgain) {
  Start();
  model.Say("Hello.");
  const TurnOutcome first = Ask("hi");
  const TurnOutcome again = Await(first.turn);
  ASSERT_OK(again.error);
  EXPECT_EQ(again.answer.text, "Hello.");
  EXPECT_EQ(again.answer.usage, first.answer.usage);
  EXPECT_TRUE(absl::IsNotFound(Await(TurnId("turn_none")).error));
}

TEST_F(RoundsTest, ASessionsIdIsAsGoodAsItsKey) {
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  const auto named = Submit("a", "s");
  const auto unnamed = Submit("b", "");
  ASSERT_OK(named);
  ASSERT_OK(unnamed);
  for (int process = 0; process < 2; ++process) {
    EXPECT_EQ(Submit("c", named->session.str())->session, named->session);
    EXPECT_EQ(Submit("d", unnamed->session.str())->session, unnamed->session);
    EXPECT_NE(Submit("e", "ses_unknown")->session, named->session);
    // Somebody else's is not.
    journal::EventEnvelope event = Event(named->session.str());
    event.principal.user = "guest";
    auto foreign = Run(agent->Submit(event, Input("f"), nullptr));
    ASSERT_OK(foreign);
    EXPECT_NE(foreign->session, named->session);
    Stop();
    Start();
  }
  EXPECT_THAT(Conversation(), Contains("user: c").Times(2));
}

TEST_F(RoundsTest, RunsCallsAndShowsTheirResults) {
  AddReader();
  AddWriter();
  Start();
  model.Push(Answer(Says("Let me look.", {Call("test__look", R"({"q":"x"})", "a")})));
  model.Call({Call("test__put", "{}", "b")});
  model.Say("Done.");
  RecordingObserver observer;
  const auto accepted = Submit("do it", "s", "", &observer);
  ASSERT_OK(accepted);
  const TurnOutcome outcome = Await(accepted->turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "Let me look.\n\nDone.");
  EXPECT_EQ(observer.text, outcome.answer.text);
  EXPECT_EQ(outcome.answer.rounds, 3);
  EXPECT_EQ(outcome.answer.usage.input_tokens, 30);
  EXPECT_THAT(Conversation(), ElementsAre("user: do it", "assistant: Let me look. calls test__look",
                                          R"(tool: seen {"q":"x"})", "assistant: calls test__put",
                                          "tool: put", "assistant: Done."));
  EXPECT_THAT(Lines(model.requests[2]), SizeIs(5));
  EXPECT_THAT(observer.events, ElementsAre("start test__look", "result test__look",
                                           "start test__put", "result test__put"));
  EXPECT_THAT(Steps(accepted->turn),
              ElementsAre("accepted", "model_started", "model_finished", "tool_intended",
                          "tool_finished done", "model_started", "model_finished", "tool_intended",
                          "tool_finished done", "model_started", "model_finished", "finished"));
  const auto effects = Effects(accepted->turn);
  ASSERT_THAT(effects, SizeIs(1));
  EXPECT_EQ(effects[0].state, journal::EffectState::kDone);
  EXPECT_EQ(effects[0].key, world.calls[1].idempotency_key);
  EXPECT_EQ(world.calls[0].idempotency_key, "");
  ExpectWhole();
}

TEST_F(RoundsTest, WhatIsStreamedIsTheAnswer) {
  AddReader();
  Start();
  auto stream = [](std::vector<std::string> pieces, std::vector<model::ToolCall> calls) {
    return [pieces, calls](model::ChatRequest, CallContext,
                           model::DeltaSink* sink) -> io::Task<Answer> {
      std::string text;
      for (const std::string& piece : pieces) {
        text += piece;
        sink->OnText(piece);
        sink->OnReasoning("r");
      }
      co_return Says(text, calls);
    };
  };
  model.Push(stream({" \n", "", " One", " ", "\n", "two.", " \n"}, {Call("test__look", "{}")}));
  model.Push(stream({"\n"}, {Call("test__look", R"({"q":"1"})")}));
  model.Push(stream({"\n", "Three", "\n\n"}, {}));
  RecordingObserver observer;
  const auto accepted = Submit("go", "s", "", &observer);
  ASSERT_OK(accepted);
  const TurnOutcome outcome = Await(accepted->turn);
  EXPECT_EQ(outcome.answer.text, "One \ntwo.\n\nThree");
  EXPECT_EQ(observer.text, outcome.answer.text);
  EXPECT_EQ(observer.reasoning.size(), 11u);
}

TEST_F(RoundsTest, TheSessionIsRememberedAndOtherSessionsAreNot) {
  Start();
  for (const char* text : {"one", "two", "three"}) model.Say(text);
  ASSERT_OK(Ask("a", "s").error);
  ASSERT_OK(Ask("b", "other").error);
  ASSERT_OK(Ask("c", "s").error);
  EXPECT_THAT(Lines(model.requests[2]), ElementsAre("user: a", "assistant: one", "user: c"));
  Stop();
  Start();
  model.Say("four");
  ASSERT_OK(Ask("d", "s").error);
  EXPECT_THAT(Lines(model.requests[3]),
              ElementsAre("user: a", "assistant: one", "user: c", "assistant: three", "user: d"));
}

TEST_F(RoundsTest, ReadOnlyCallsOfOneAnswerRunAtOnce) {
  auto open = Closed();
  Counter inside;
  AddTool(ReadSpec("test__slow"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            inside.Add();
            co_await inside.Reached(3);  // ends only when three are inside
            co_return Gives(call, "slow " + call.call_id);
          });
  AddWriter();
  Start();
  model.Call({Call("test__slow", "{}", "a"), Call("test__slow", "{}", "b"),
              Call("test__slow", "{}", "c"), Call("test__put", R"({"q":"1"})", "d"),
              Call("test__put", R"({"q":"2"})", "e"), Call("test__slow", "{}", "f")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_EQ(world.most_running, 3);
  EXPECT_THAT(Conversation(),
              ElementsAre("user: go", testing::_, "tool: slow a", "tool: slow b", "tool: slow c",
                          "tool: put", "tool: put", "tool: slow f", "assistant: ok"));
  ASSERT_THAT(world.calls, SizeIs(6));
  EXPECT_EQ(world.calls[3].call_id, "d");
  EXPECT_EQ(world.calls[4].call_id, "e");
  EXPECT_EQ(world.calls[5].call_id, "f");
  ExpectWhole();
}

TEST_F(RoundsTest, AtMostMaxParallelCallsRunAtOnce) {
  options.max_parallel_calls = 2;
  Counter inside;
  AddTool(ReadSpec("test__slow"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            inside.Add();
            co_await inside.Reached(inside.count() > 2 ? 4 : 2);
            co_return Gives(call, "");
          });
  Start();
  std::vector<model::ToolCall> calls;
  for (const char* q : {"1", "2", "3", "4"}) {
    calls.push_back(Call("test__slow", std::string(R"({"q":")") + q + "\"}"));
  }
  model.Call(calls);
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_EQ(world.most_running, 2);
}

TEST_F(RoundsTest, EffectsRunInOrderEachBehindItsRecord) {
  std::vector<std::string> seen;
  AddTool(WriteSpec("test__put"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            // What the journal knew when the effect began.
            std::vector<store::Value> all{std::int64_t{0}, std::int64_t{10}};
            auto rows = co_await store->Read("load_unfinished_turns", std::move(all));
            auto effects = co_await journal->LoadEffects(TurnId(rows->front().Text(0)));
            std::string states;
            for (const auto& effect : *effects) {
              states += std::string(journal::EffectStateName(effect.state)) + " ";
            }
            seen.push_back(call.call_id + ": " + states);
            co_return Gives(call, "put");
          });
  Start();
  model.Call({Call("test__put", R"({"q":"1"})", "a"), Call("test__put", R"({"q":"2"})", "b")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_THAT(seen, ElementsAre("a: intended ", "b: done intended "));
}

TEST_F(RoundsTest, UnknownToolsAndBadArgumentsAreErrorsForTheModel) {
  AddReader();
  Start();
  model.Call({Call("test__lok", "{}", "a"), Call("test__look", R"({"q":7,"z":1})", "b"),
              Call("test__look", R"({"q":"ok"})", "d"), Call("", "{}", "e")});
  model.Say("sorry");
  RecordingObserver observer;
  const auto accepted = Submit("go", "s", "", &observer);
  ASSERT_OK(accepted);
  ASSERT_OK(Await(accepted->turn).error);
  const auto lines = Lines(model.requests[1]);
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_THAT(lines[2], HasSubstr("tool 'test__lok' is not known; similar: test__look"));
  EXPECT_THAT(lines[3], HasSubstr("error: tool 'test__look'"));
  EXPECT_THAT(lines[4], HasSubstr("seen"));
  EXPECT_THAT(lines[5], HasSubstr("not known"));
  EXPECT_THAT(world.calls, SizeIs(1));
  EXPECT_THAT(observer.events, Contains("error test__lok"));
  EXPECT_THAT(Steps(accepted->turn), Contains("tool_finished refused").Times(3));
  ExpectWhole();
}

TEST_F(RoundsTest, AFailingToolIsAnErrorForTheModel) {
  AddTool(WriteSpec("test__put"),
          [](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            if (call.arguments == R"({"q":"crash"})")
              co_return Unavailable("plugin 'test' crashed");
            tool::ToolOutput output = Gives(call, "");
            output.error = "no such file";
            co_return output;
          });
  Start();
  model.Call({Call("test__put", R"({"q":"crash"})", "a"), Call("test__put", "{}", "b")});
  model.Say("sorry");
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_THAT(Conversation(), Contains("tool: error: plugin 'test' crashed"));
  EXPECT_THAT(Conversation(), Contains("tool: error: no such file"));
  for (const auto& effect : Effects(outcome.turn)) {
    EXPECT_EQ(effect.state, journal::EffectState::kFailed);
  }
}

TEST_F(RoundsTest, MoreCallsThanAllowedAreRefused) {
  options.max_calls_per_round = 2;
  AddReader();
  Start();
  model.Call({Call("test__look", R"({"q":"1"})"), Call("test__look", R"({"q":"2"})"),
              Call("test__look", R"({"q":"3"})")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_THAT(world.calls, SizeIs(2));
  EXPECT_THAT(Lines(model.requests[1]).back(), HasSubstr("more than 2 calls in one answer"));
  ExpectWhole();
}

TEST_F(RoundsTest, TheRoundLimitEndsInATextAnswer) {
  options.max_rounds_chat = 3;
  AddReader();
  Start();
  for (int i = 0; i < 3; ++i) {
    model.Call({Call("test__look", "{\"q\":\"" + std::to_string(i) + "\"}")});
  }
  model.Say("That is what I found.");
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "That is what I found.");
  ASSERT_THAT(model.requests, SizeIs(4));
  EXPECT_EQ(model.requests[2].tool_choice, model::ToolChoice::kAuto);
  EXPECT_EQ(model.requests[3].tool_choice, model::ToolChoice::kNone);
  EXPECT_THAT(Lines(model.requests[3]).back(), HasSubstr("Stop calling tools now"));
  // The core's word is not a part of the conversation.
  EXPECT_THAT(Conversation(), Not(Contains(HasSubstr("Stop calling tools now"))));
}

TEST_F(RoundsTest, TasksHaveTheirOwnRoundLimit) {
  options.max_rounds_task = 1;
  AddReader();
  Start();
  model.Call({Call("test__look", "{}")});
  model.Say("ok");
  TurnInput input = Input("go");
  input.mode = TurnMode::kTask;
  ASSERT_OK(AskInput(input).error);
  EXPECT_EQ(model.requests[1].tool_choice, model::ToolChoice::kNone);
}

TEST_F(RoundsTest, AForcedAnswerThatStillCallsToolsIsText) {
  options.max_rounds_chat = 1;
  AddReader();
  Start();
  model.Call({Call("test__look", R"({"q":"1"})")});
  model.Call({Call("test__look", R"({"q":"2"})")});
  RecordingObserver observer;
  const auto accepted = Submit("go", "s", "", &observer);
  ASSERT_OK(accepted);
  const TurnOutcome outcome = Await(accepted->turn);
  ASSERT_OK(outcome.error);
  EXPECT_THAT(outcome.answer.text, HasSubstr("the work went on for 1 rounds"));
  EXPECT_EQ(outcome.answer.finish_reason, model::FinishReason::kStop);
  EXPECT_EQ(observer.text, outcome.answer.text);
  EXPECT_THAT(world.calls, SizeIs(1));
  ExpectWhole();
}

TEST_F(RoundsTest, ARepeatedCallIsWarnedAboutThenBlockedThenEndsTheRounds) {
  options.no_progress_rounds = 100;
  AddReader();
  Start();
  for (int i = 0; i < 9; ++i) model.Call({Call("test__look", R"({"q":"same"})")});
  model.Say("I give up.");
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "I give up.");
  EXPECT_THAT(world.calls, SizeIs(4));
  const auto lines = Lines(model.requests.back());
  EXPECT_THAT(lines[2], Not(HasSubstr("same result")));
  const auto messages = Messages();
  EXPECT_THAT(messages[2].content, Not(HasSubstr("made before")));
  EXPECT_THAT(messages[4].content, HasSubstr("made before"));
  EXPECT_THAT(lines[10], HasSubstr("this exact call was repeated 4 times"));
  EXPECT_EQ(model.requests.back().tool_choice, model::ToolChoice::kNone);
  EXPECT_THAT(model.requests, SizeIs(10));
  ExpectWhole();
}

TEST_F(RoundsTest, TheSameCallManyTimesInOneAnswerIsBlockedToo) {
  AddWriter();
  Start();
  model.Call(std::vector<model::ToolCall>(6, Call("test__put", "{}")));
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_THAT(world.calls, SizeIs(4));
  ExpectWhole();
}

TEST_F(RoundsTest, RoundsWithoutProgressEndInATextAnswer) {
  options.no_progress_rounds = 3;
  Start();
  for (int i = 0; i < 3; ++i) model.Call({Call("none__" + std::to_string(i), "{}")});
  model.Say("I cannot.");
  ASSERT_OK(Ask("go").error);
  ASSERT_THAT(model.requests, SizeIs(4));
  EXPECT_EQ(model.requests[3].tool_choice, model::ToolChoice::kNone);
}

TEST_F(RoundsTest, CallIdsAreMadeUniqueInTheConversation) {
  AddReader();
  Start();
  model.Call(
      {Call("test__look", R"({"q":"1"})", "call_0"), Call("test__look", R"({"q":"2"})", "call_0")});
  model.Call({Call("test__look", R"({"q":"3"})", "call_0")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  model.Call({Call("test__look", R"({"q":"4"})", "call_0")});
  model.Say("ok");
  ASSERT_OK(Ask("again").error);
  std::set<std::string> seen;
  for (const model::Message& message : model.requests.back().messages) {
    for (const model::ToolCall& call : model::ToolCallsOf(message)) seen.insert(call.id);
  }
  EXPECT_THAT(seen, SizeIs(4));
  EXPECT_THAT(world.calls, SizeIs(4));
  ExpectWhole();
}

TEST_F(RoundsTest, RulesAndCallerInstructionsAreInThePrompt) {
  options.rules = {"Never say maybe."};
  Start();
  model.Say("ok");
  TurnInput input = Input("hi");
  input.instructions = "Speak like a pirate.";
  ASSERT_OK(AskInput(input).error);
  const std::string& system = model.requests[0].system;
  EXPECT_THAT(system, HasSubstr("[custom] Never say maybe."));
  EXPECT_THAT(system, HasSubstr("Speak like a pirate."));
  EXPECT_THAT(system, HasSubstr("2026-01-31"));
  EXPECT_LT(system.find("[custom]"), system.find("pirate"));
  auto steps = Run(journal->LoadSteps(
      Run(journal->LoadMessages((*Run(journal->FindSession(Event("s").principal, "s")))->id, 1))
          ->front()
          .turn));
  auto started = ParseJson((*steps)[1].data, "step");
  auto snapshot = Run(journal->LoadSnapshot(JsonString(*started, "prompt")));
  ASSERT_OK(snapshot);
  EXPECT_THAT(*snapshot, HasSubstr("Never say maybe."));
}

TEST_F(RoundsTest, ManyToolsAreListedAndLoadedOnDemand) {
  options.eager_tools = 3;
  for (const char* name : {"a__one", "a__two", "b__one", "b__two"}) AddReader(name);
  tool::ToolSpec pinned = ReadSpec("c__pinned");
  pinned.always_include = true;
  AddTool(pinned, [](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
    co_return Gives(call, "");
  });
  Start();
  auto names = [this](std::size_t request) {
    std::vector<std::string> shown;
    for (const auto& tool : model.requests[request].tools) shown.push_back(tool.name);
    return shown;
  };
  model.Call({Call("talon__load_tools", R"({"names":["b.two","a__nine"]})")});
  model.Call({Call("b__two", "{}")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  EXPECT_THAT(names(0),
              testing::UnorderedElementsAre("artifact__read", "c__pinned", "talon__load_tools"));
  EXPECT_THAT(model.requests[0].system, HasSubstr("\n- b__two: Looks"));
  EXPECT_THAT(names(1), Contains("b__two"));
  EXPECT_THAT(model.requests[1].system, Not(HasSubstr("\n- b__two")));
  EXPECT_THAT(Lines(model.requests[1]).back(), HasSubstr("loaded b__two"));
  EXPECT_THAT(Lines(model.requests[1]).back(), HasSubstr("no tool 'a__nine'"));
  // What was loaded stays with the session.
  Stop();
  Start();
  model.Say("ok");
  ASSERT_OK(Ask("again").error);
  EXPECT_THAT(names(3), Contains("b__two"));
}

TEST_F(RoundsTest, AnOversizedResultIsKeptAndPagedThrough) {
  guard_options.max_result.value = 1000;
  std::string whole;
  for (int i = 0; i < 500; ++i) whole += "строка " + std::to_string(i) + "\n";
  AddTool(ReadSpec("test__big"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            co_return Gives(call, whole);
          });
  Start();
  std::string rest;
  // Reads on as the notice and the pages say.
  model.otherwise = [&](model::ChatRequest request, CallContext,
                        model::DeltaSink*) -> io::Task<Answer> {
    const std::string content =
        std::get<model::ToolResult>(request.messages.back().parts[0]).content;
    const auto handle_at = content.find("handle art_");
    static std::string handle;
    long offset = -1;
    if (handle_at != std::string::npos) {
      handle = content.substr(handle_at + 7, content.find(',', handle_at) - handle_at - 7);
      rest = content.substr(content.find("]\n") + 2);
      rest = rest.substr(0, rest.find("\n[/plugin_output]"));
      offset = std::stol(content.substr(content.find("offset ", handle_at) + 7));
    } else {
      const std::string body = content.substr(content.find("]\n") + 2);
      const auto line_end = body.find('\n');
      const std::string head = body.substr(0, line_end);
      rest += body.substr(line_end + 1, body.find("\n[/plugin_output]") - line_end - 1);
      if (const auto next = head.find("next offset "); next != std::string::npos) {
        offset = std::stol(head.substr(next + 12));
      }
    }
    if (offset < 0) co_return Says("read it all");
    co_return Says("", {Call("artifact__read", "{\"handle\":\"" + handle + "\",\"offset\":" +
                                                   std::to_string(offset) + ",\"limit\":60000}")});
  };
  model.Call({Call("test__big", "{}")});
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "read it all");
  EXPECT_EQ(rest, whole);
  EXPECT_GT(model.requests.size(), 5u);
  ExpectWhole();
}

TEST_F(RoundsTest, AnArtifactOfAnotherSessionIsNotRead) {
  guard_options.max_result.value = 100;
  AddTool(ReadSpec("test__big"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            co_return Gives(call, std::string(500, 'x'));
          });
  Start();
  model.Call({Call("test__big", "{}")});
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  const std::string content = Lines(model.requests[1]).back();
  const auto messages = Messages();
  const auto at = messages[2].content.find("art_");
  const std::string handle = messages[2].content.substr(at, messages[2].content.find(',', at) - at);
  model.Call({Call("artifact__read", "{\"handle\":\"" + handle + "\"}")});
  model.Say("ok");
  ASSERT_OK(Ask("go", "thief").error);
  EXPECT_THAT(Lines(model.requests[3]).back(), HasSubstr("this session has none of that name"));
}

TEST_F(RoundsTest, TheWindowKeepsWhatFitsAndTheTurnsOwnWords) {
  models.providers["fake"].models[0].context_window = 4000;
  options.context_messages = 6;
  AddReader();
  Start();
  const std::string words(6000, 'w');
  for (int i = 0; i < 6; ++i) {
    model.Say("answer");
    ASSERT_OK(Ask("question " + std::to_string(i) + " " + words).error);
  }
  const auto lines = Lines(model.requests.back());
  EXPECT_THAT(lines.front(), HasSubstr("question"));
  EXPECT_LT(lines.size(), 11u);
  EXPECT_THAT(lines.back(), HasSubstr("question 5"));
  // A turn longer than `context_messages` keeps what it was asked.
  for (int i = 0; i < 5; ++i) {
    model.Call({Call("test__look", "{\"q\":\"" + std::to_string(i) + "\"}")});
  }
  model.Say("done");
  ASSERT_OK(Ask("the long one").error);
  EXPECT_THAT(Lines(model.requests.back()), Contains("user: the long one"));
}

TEST_F(RoundsTest, WhatTheWindowCutsIsKeptAndRead) {
  models.providers["fake"].models[0].context_window = 8000;
  options.context_messages = 6;
  std::string whole;
  for (int i = 0; i < 4000; ++i) whole += "line " + std::to_string(i) + "\n";
  AddTool(ReadSpec("test__big"),
          [&](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            co_return Gives(call, whole);
          });
  Start();
  model.Call({Call("test__big", "{}")});
  model.Push([](model::ChatRequest request, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    const std::string content =
        std::get<model::ToolResult>(request.messages.back().parts[0]).content;
    const auto at = content.find("handle art_");
    if (at == std::string::npos) co_return Says("nothing to read");
    const std::string handle = content.substr(at + 7, content.find(',', at) - at - 7);
    co_return Says("", {Call("artifact__read",
                             "{\"handle\":\"" + handle + "\",\"offset\":20000,\"limit\":100}")});
  });
  model.Say("ok");
  ASSERT_OK(Ask("go").error);
  ASSERT_THAT(model.requests, SizeIs(3));
  EXPECT_GT(Lines(model.requests[1]).back().size(), 8000u);
  EXPECT_THAT(Lines(model.requests[2]).back(), HasSubstr("bytes 20000 to 20100 of"));
  // Cut again in the next turn: it is kept already.
  model.Call({Call("test__big", "{}")});
  model.Say("ok");
  ASSERT_OK(Ask("again").error);
  ExpectWhole();
}

TEST_F(RoundsTest, APersonIsToldWhenTheirMessageWasCut) {
  models.providers["fake"].models[0].context_window = 4000;
  Start();
  model.Say("Very long.");
  RecordingObserver observer;
  const auto accepted = Submit(std::string(100'000, 'w'), "s", "", &observer);
  ASSERT_OK(accepted);
  const TurnOutcome outcome = Await(accepted->turn);
  ASSERT_OK(outcome.error);
  EXPECT_THAT(outcome.answer.text, HasSubstr("Your message of 100000 bytes is larger"));
  EXPECT_THAT(outcome.answer.text, testing::EndsWith("\n\nVery long."));
  EXPECT_EQ(observer.text, outcome.answer.text);
  EXPECT_THAT(Conversation(), Contains("assistant: Very long."));
}

TEST_F(RoundsTest, ARequiredCallIsAskedForOnce) {
  AddReader();
  Start();
  model.Call({Call("test__look", "{}")});
  model.Say("ok");
  TurnInput input = Input("go");
  input.tool_choice = model::ToolChoice::kRequired;
  ASSERT_OK(AskInput(input).error);
  EXPECT_EQ(model.requests[0].tool_choice, model::ToolChoice::kRequired);
  EXPECT_EQ(model.requests[1].tool_choice, model::ToolChoice::kAuto);
}

TEST_F(RoundsTest, WrongInputIsRefusedBeforeAnythingIsStored) {
  Start();
  EXPECT_TRUE(absl::IsInvalidArgument(SubmitInput({}).status()));
  TurnInput input = Input("hi");
  input.model = "nobody/knows";
  EXPECT_EQ(ReasonOf(SubmitInput(input).status()), ErrorReason::kUnknownModel);
  input = Input("hi");
  input.messages.assign(options.max_input_messages + 1, input.messages[0]);
  EXPECT_TRUE(absl::IsInvalidArgument(SubmitInput(input).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Submit("hi", std::string(1000, 'k')).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Submit("hi", "s", "\xff").status()));
  EXPECT_EQ(store->commits, 0);
}

TEST_F(RoundsTest, TheContextReportCountsWhatAPromptCarries) {
  AddReader();
  Start();
  auto report = Run(agent->Context(Event("").principal, "", ""));
  ASSERT_OK(report);
  EXPECT_EQ(report->model, "fake/m");
  EXPECT_GT(report->system_tokens, 100);
  EXPECT_GT(report->tool_tokens, 10);
  EXPECT_EQ(report->tools_shown, 2u);
  EXPECT_EQ(report->tools_listed, 3u);
  // Nothing of it stays.
  EXPECT_EQ(store->commits, 0);
  EXPECT_TRUE(Run(agent->Context(Event("").principal, "", "no/model")).status().code() ==
              absl::StatusCode::kNotFound);
}

TEST_F(RoundsTest, HowACallIsUndoneIsKeptWithWhatIsDoneOnly) {
  for (const bool fails : {false, true}) {
    tool::ToolSpec spec = WriteSpec(fails ? "test__bad" : "test__good");
    spec.compensation = "test__undo";
    AddTool(spec, [fails](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
      tool::ToolOutput output = Gives(call, "changed");
      output.compensation = R"({"what":"it"})";
      if (fails) output.error = "half way";
      co_return output;
    });
  }
  Start();
  model.Call({Call("test__good", "{}", "a"), Call("test__bad", "{}", "b")});
  model.Say("done");
  const auto effects = Effects(Ask("go").turn);
  ASSERT_THAT(effects, SizeIs(2));
  EXPECT_EQ(effects[0].state, journal::EffectState::kDone);
  EXPECT_EQ(effects[0].result,
            R"({"compensation":{"arguments":{"what":"it"},"tool":"test__undo"}})");
  EXPECT_EQ(effects[1].state, journal::EffectState::kFailed);
  EXPECT_EQ(effects[1].result, "");
}

}  // namespace
}  // namespace talon::agent
