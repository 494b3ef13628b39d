// SPDX-License-Identifier: Apache-2.0
// Turns that a process did not end, taken up by the next one.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class RecoveryTest : public AgentTest {
 public:
  // A tool that does not come back in the first process; `effect` tells whether it did its work.
  void AddMortal(tool::ToolSpec spec, bool effect) {
    AddTool(
        std::move(spec),
        [this, effect](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
          const bool first = world.calls.size() == 1;
          int& times = world.effects[call.idempotency_key];
          if (!first || effect) times = times == 0 ? 1 : times;
          if (first) co_return co_await Held(context, Closed());
          co_return Gives(call, "done");
        });
  }
  TurnId CrashInTool(std::vector<model::ToolCall> calls) {
    model.Call(std::move(calls));
    const TurnId turn = Submit("go")->turn;
    Run(world.begun.Reached(1));
    Crash();
    return turn;
  }
};

TEST_F(RecoveryTest, ATurnWhoseModelDidNotAnswerAsksAgain) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("hi")->turn;
  Run(model.asked.Reached(1));
  Crash();
  model.Say("hello");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "hello");
  EXPECT_EQ(Lines(model.requests[0]), Lines(model.requests[1]));
  EXPECT_THAT(Steps(turn), ElementsAre("accepted", "model_started", "resumed", "model_started",
                                       "model_finished", "finished"));
  ExpectWhole();
}

TEST_F(RecoveryTest, AReadOnlyCallRunsAgain) {
  AddMortal(ReadSpec("test__look"), false);
  Start();
  const TurnId turn = CrashInTool({Call("test__look", "{}", "a")});
  model.Say("ok");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.rounds, 2);
  EXPECT_EQ(outcome.answer.usage.input_tokens, 20);
  EXPECT_DOUBLE_EQ(outcome.answer.cost_usd, 24);
  EXPECT_THAT(world.calls, SizeIs(2));
  EXPECT_THAT(Conversation(), ElementsAre("user: go", "assistant: calls test__look", "tool: done",
                                          "assistant: ok"));
  ExpectWhole();
}

TEST_F(RecoveryTest, AnIdempotentCallRunsAgainWithItsKey) {
  for (const bool effect : {false, true}) {
    SCOPED_TRACE(effect);
    world.calls.clear();
    AddMortal(WriteSpec(effect ? "test__with" : "test__without", true), effect);
    Start();
    const TurnId turn =
        CrashInTool({Call(effect ? "test__with" : "test__without", R"({"q":"x"})", "a")});
    model.Say("ok");
    Start();
    ASSERT_OK(Await(turn).error);
    ASSERT_THAT(world.calls, SizeIs(2));
    EXPECT_EQ(world.calls[0].idempotency_key, world.calls[1].idempotency_key);
    EXPECT_EQ(world.calls[0].arguments, world.calls[1].arguments);
    EXPECT_EQ(world.effects[world.calls[0].idempotency_key], 1);
    const auto effects = Effects(turn);
    ASSERT_THAT(effects, SizeIs(1));
    EXPECT_EQ(effects[0].state, journal::EffectState::kDone);
    Stop();
    world.begun = {};
  }
}

TEST_F(RecoveryTest, AnotherCallIsNotRepeatedAndItsOutcomeIsUnknown) {
  AddMortal(WriteSpec("test__put"), true);
  Start();
  const TurnId turn = CrashInTool({Call("test__put", "{}", "a")});
  model.Say("I do not know whether it was done.");
  Start();
  ASSERT_OK(Await(turn).error);
  EXPECT_THAT(world.calls, SizeIs(1));
  EXPECT_THAT(Lines(model.requests[1]).back(), HasSubstr("outcome unknown"));
  const auto effects = Effects(turn);
  ASSERT_THAT(effects, SizeIs(1));
  EXPECT_EQ(effects[0].state, journal::EffectState::kUnknown);
  EXPECT_THAT(Steps(turn), Contains("tool_finished unknown"));
  ExpectWhole();
}

TEST_F(RecoveryTest, AGroupThatIsPartlyDoneGoesOnWhereItWas) {
  AddReader();
  AddWriter("test__put", true);
  AddTool(WriteSpec("test__blind"),
          [](tool::Invocation, CallContext context) -> io::Task<FakeTool::Output> {
            co_return co_await Held(context, Closed());
          });
  Start();
  model.Call({Call("test__none", "{}", "refused"), Call("test__look", "{}", "b"),
              Call("test__put", "{}", "c"), Call("test__blind", "{}", "d"),
              Call("test__put", R"({"q":"2"})", "e")});
  const TurnId turn = Submit("go")->turn;
  Run(world.begun.Reached(3));
  Crash();
  model.Say("ok");
  Start();
  ASSERT_OK(Await(turn).error);
  std::vector<std::string> ids;
  for (const auto& call : world.calls) ids.push_back(call.call_id);
  EXPECT_THAT(ids, ElementsAre("b", "c", "d", "e"));
  EXPECT_THAT(Conversation(),
              ElementsAre("user: go", testing::_, HasSubstr("not known"), "tool: seen {}",
                          "tool: put", HasSubstr("outcome unknown"), "tool: put", "assistant: ok"));
  ExpectWhole();
}

// A key must not depend on what was refused, or a restart would repeat an effect.
TEST_F(RecoveryTest, KeysAreTheSameBehindRefusedCalls) {
  AddMortal(WriteSpec("test__put", true), true);
  Start();
  const TurnId turn =
      CrashInTool({Call("test__none", "{}", "a"), Call("test__put", R"({"q":[1]})", "b"),
                   Call("test__put", R"({"q":"x"})", "c")});
  model.Say("ok");
  Start();
  ASSERT_OK(Await(turn).error);
  EXPECT_EQ(world.effects.size(), 1u);
  EXPECT_EQ(world.effect_count(), 1);
  EXPECT_THAT(world.calls, SizeIs(2));
}

TEST_F(RecoveryTest, AnEffectWhoseToolIsGoneIsUnknownToo) {
  AddMortal(WriteSpec("test__put", true), true);
  AddReader();
  Start();
  const TurnId turn = CrashInTool({Call("test__put", "{}", "a")});
  ForgetTools();
  model.Say("ok");
  Start();
  ASSERT_OK(Await(turn).error);
  EXPECT_THAT(Lines(model.requests[1]).back(), HasSubstr("outcome unknown"));
  EXPECT_EQ(Effects(turn)[0].state, journal::EffectState::kUnknown);
}

TEST_F(RecoveryTest, ARunningTurnThatFailsAfterAnEffectKeepsItsKey) {
  AddMortal(WriteSpec("test__put"), true);
  Start();
  model.Call({Call("test__put", "{}", "a")});
  const TurnId turn = Submit("go", "s", "key")->turn;
  Run(world.begun.Reached(1));
  Crash();
  model.Push(Answer(Unavailable("down")));
  Start();
  EXPECT_TRUE(absl::IsUnavailable(Await(turn).error));
  EXPECT_EQ(Ask("go", "s", "key").turn, turn);
}

TEST_F(RecoveryTest, CallIdsThatComeAgainInLaterRoundsAreNotMistaken) {
  AddTool(WriteSpec("test__put"),
          [this](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
            if (world.calls.size() == 2) co_return co_await Held(context, Closed());
            co_return Gives(call, "put");
          });
  Start();
  model.Call({Call("test__put", R"({"q":"1"})", "call_0")});
  model.Call({Call("test__put", R"({"q":"2"})", "call_0")});
  const TurnId turn = Submit("go")->turn;
  Run(world.begun.Reached(2));
  Crash();
  model.Say("ok");
  Start();
  ASSERT_OK(Await(turn).error);
  EXPECT_THAT(world.calls, SizeIs(2));
  EXPECT_THAT(Lines(model.requests.back()).back(), HasSubstr("outcome unknown"));
  ExpectWhole();
}

TEST_F(RecoveryTest, RoundsAndRepairsGoOnCounting) {
  options.max_rounds_chat = 2;
  options.max_repairs = 1;
  AddReader();
  Start();
  model.Push(Answer(Says("one", {Call("test__look", R"({"q":"1"})")})));
  model.Say("");
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("go")->turn;
  Run(model.asked.Reached(3));
  Crash();
  model.Push(Answer(Says("two", {Call("test__look", R"({"q":"2"})")})));
  model.Say("three");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.text, "one\n\ntwo\n\nthree");
  EXPECT_EQ(outcome.answer.rounds, 3);
  EXPECT_EQ(model.requests.back().tool_choice, model::ToolChoice::kNone);
  ExpectWhole();
}

TEST_F(RecoveryTest, ATurnLongerThanTheContextResumesWhole) {
  options.context_messages = 4;
  AddReader();
  Start();
  model.Say("before");
  ASSERT_OK(Ask("earlier").error);
  for (int i = 0; i < 6; ++i) {
    model.Push(Answer(Says("t" + std::to_string(i),
                           {Call("test__look", "{\"q\":\"" + std::to_string(i) + "\"}")})));
  }
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("the long one")->turn;
  Run(model.asked.Reached(8));
  const auto asked = Lines(model.requests.back());
  Crash();
  model.Say("end");
  Start();
  const TurnOutcome outcome = Await(turn);
  ASSERT_OK(outcome.error);
  EXPECT_EQ(outcome.answer.rounds, 7);
  EXPECT_EQ(outcome.answer.text, "t0\n\nt1\n\nt2\n\nt3\n\nt4\n\nt5\n\nend");
  EXPECT_THAT(Lines(model.requests.back()), Contains("user: the long one"));
  ExpectWhole();
}

TEST_F(RecoveryTest, WaitingTurnsFollowInOrder) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  model.Hold(Closed(), Answer(Says("never")));
  std::vector<TurnId> turns;
  for (const char* text : {"a", "b", "c"}) turns.push_back(Submit(text)->turn);
  turns.push_back(Submit("x", "other")->turn);
  Run(model.asked.Reached(2));
  Crash();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  Start();
  ASSERT_OK(Ask("d").error);
  for (const TurnId& turn : turns) EXPECT_OK(Await(turn).error);
  EXPECT_THAT(Conversation(), ElementsAre("user: a", "assistant: ok", "user: b", "assistant: ok",
                                          "user: c", "assistant: ok", "user: d", "assistant: ok"));
  ExpectWhole();
}

TEST_F(RecoveryTest, ATurnSubmittedDuringTheRecoveryComesBehind) {
  AddMortal(WriteSpec("test__put"), true);
  Start();
  const TurnId turn = CrashInTool({Call("test__put", "{}", "a")});
  model.otherwise = FakeChatModel::Always(Says("ok"));
  // A second agent on the same journal, whose recovery overlaps with an arrival.
  Start();
  EXPECT_OK(Await(turn).error);
  Crash();
  StartWithoutRecovery();
  Run([](RecoveryTest* self) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    nursery.Spawn([](RecoveryTest* test) -> io::Task<void> {
      EXPECT_OK(co_await test->agent->Recover());
    }(self));
    nursery.Spawn([](RecoveryTest* test) -> io::Task<void> {
      auto accepted = co_await test->agent->Submit(Event("s"), Input("new"), nullptr);
      EXPECT_OK(accepted);
      EXPECT_OK(co_await test->agent->Await(accepted->turn, {}));
    }(self));
    co_await nursery.Join();
    co_return 0;
  }(this));
  ExpectWhole();
}

TEST_F(RecoveryTest, ATurnWhoseModelIsGoneFailsOnce) {
  AddReader();
  model::ModelEntry other;
  other.id = "other";
  models.providers["gone"].models.push_back(other);
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  TurnInput input = Input("hi");
  input.model = "gone/other";
  const TurnId turn = SubmitInput(input)->turn;
  Run(model.asked.Reached(1));
  Crash();
  models.providers.erase("gone");
  Start();
  EXPECT_EQ(ReasonOf(Await(turn).error), ErrorReason::kUnknownModel);
  EXPECT_EQ(Record(turn).state, journal::TurnState::kFailed);
}

TEST_F(RecoveryTest, ATurnCancelledAfterTheRestartEnds) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId running = Submit("a")->turn;
  const TurnId waiting = Submit("b")->turn;
  Run(model.asked.Reached(1));
  Crash();
  model.Hold(Closed(), Answer(Says("never")));
  Start();
  Run(model.asked.Reached(2));
  EXPECT_TRUE(agent->Cancel(waiting, Cancelled("no")));
  EXPECT_EQ(Await(waiting).state, journal::TurnState::kCancelled);
  EXPECT_TRUE(agent->Cancel(running, Cancelled("no")));
  EXPECT_EQ(Await(running).state, journal::TurnState::kCancelled);
}

TEST_F(RecoveryTest, AnAnswerWithAWayBackIsUndeliveredUntilItIsOut) {
  Start();
  TurnInput input = Input("hi");
  input.reply_to = R"({"room":1})";
  model.Say("hello");
  const TurnId answered = SubmitInput(input, "one")->turn;
  ASSERT_OK(Await(answered).error);
  model.Say("to a caller");
  ASSERT_OK(Ask("hi", "three").error);
  model.Hold(Closed(), Answer(Says("never")));
  input.reply_to = R"({"room":2})";
  const TurnId running = SubmitInput(input, "two")->turn;
  Run(model.asked.Reached(3));
  Crash();
  model.Say("late");
  Start();
  const auto found = Run(agent->LoadUndelivered("test"));
  ASSERT_OK(found);
  std::map<std::string, std::string> by_turn;
  for (const Undelivered& each : *found) by_turn[each.turn.str()] = each.reply_to;
  EXPECT_EQ(by_turn, (std::map<std::string, std::string>{{answered.str(), R"({"room":1})"},
                                                         {running.str(), R"({"room":2})"}}));
  ASSERT_OK(Await(running).error);
  EXPECT_TRUE(*Run(agent->CountDelivery(running, 1)));
  EXPECT_FALSE(*Run(agent->CountDelivery(running, 1)));
  agent->Delivered(answered);
  Stop();
  Start();
  EXPECT_THAT(*Run(agent->LoadUndelivered("test")), testing::IsEmpty());
  EXPECT_THAT(*Run(agent->LoadUndelivered("elsewhere")), testing::IsEmpty());
}

// Every commit of a turn fails once, and so does every commit of its recovery.
class SweepTest : public AgentTest {
 public:
  void SetUp() override {
    AddReader();
    AddWriter("test__put", true);
    AddWriter("test__blind", false);
    model.otherwise = [](model::ChatRequest request, CallContext,
                         model::DeltaSink*) -> io::Task<Answer> {
      int results = 0;
      for (const model::Message& message : request.messages) {
        if (message.role == model::Role::kUser) results = 0;
        if (message.role == model::Role::kTool) ++results;
      }
      if (request.messages.back().role == model::Role::kUser &&
          TextOf(request.messages.back()) == "next") {
        co_return Says("next answer");
      }
      if (results == 0) {
        co_return Says("", {Call("test__look", R"({"q":"1"})"), Call("test__look", R"({"q":"2"})"),
                            Call("test__put", "{}"), Call("test__none", "{}")});
      }
      if (results == 4) co_return Says("half", {Call("test__blind", "{}")});
      co_return Says("done");
    };
  }
  static TurnInput Go() {
    TurnInput input = Input("go");
    input.reply_to = "{}";
    return input;
  }
  // What must hold once the turn has ended.
  void ExpectEnded(const TurnId& turn, const std::string& session) {
    const TurnOutcome outcome = Await(turn);
    ASSERT_OK(outcome.error);
    EXPECT_EQ(outcome.answer.text, "half\n\ndone");
    EXPECT_EQ(outcome.answer.rounds, 3);
    EXPECT_EQ(outcome.answer.usage.input_tokens, 30);
    ExpectWhole(session);
    const auto effects = Effects(turn);
    EXPECT_THAT(effects, SizeIs(2));
    for (const auto& effect : effects) {
      const int times = world.effects[effect.key];
      if (effect.tool == "test__put") {
        EXPECT_EQ(times, 1);
        EXPECT_EQ(effect.state, journal::EffectState::kDone);
      } else if (effect.state == journal::EffectState::kDone) {
        EXPECT_EQ(times, 1);
      } else {
        EXPECT_EQ(effect.state, journal::EffectState::kUnknown);
        EXPECT_LE(times, 1);
        EXPECT_THAT(Conversation(session), Contains(HasSubstr("outcome unknown")));
      }
    }
    EXPECT_EQ(world.effects.size(), 2u);
    EXPECT_THAT(*Run(agent->LoadUndelivered("test")),
                Contains(testing::Field(&Undelivered::turn, turn)).Times(1));
  }
  int Commits() {
    Start();
    EXPECT_OK(Ask("go", "whole").error);
    const int commits = store->commits;
    Stop();
    return commits;
  }
};

TEST_F(SweepTest, ACrashBeforeEachCommitAndBeforeEachOfTheRecovery) {
  const int commits = Commits();
  EXPECT_GE(commits, 6);
  for (int first = 1; first < commits; ++first) {
    for (int second = 0; second <= commits; ++second) {
      SCOPED_TRACE(testing::Message() << "commit " << first << ", then " << second);
      const std::string session = std::to_string(first) + "." + std::to_string(second);
      world.effects.clear();
      Start();
      store->fail_after = first;
      RecordingObserver observer;
      const auto accepted = SubmitInput(Go(), session, "", &observer);
      ASSERT_OK(accepted);
      EXPECT_EQ(Await(accepted->turn).state, journal::TurnState::kRunning);
      ASSERT_THAT(observer.ends, SizeIs(1));
      EXPECT_EQ(ReasonOf(observer.ends[0].error), ErrorReason::kDiskFull);
      Crash();
      Start();
      store->fail_after = store->commits + second;
      // May end or be stranded.
      Await(accepted->turn);
      Crash();
      Start();
      ExpectEnded(accepted->turn, session);
      Stop();
      if (HasFailure()) return;
    }
  }
}

TEST_F(SweepTest, AFullDiskAtEachCommitThenTheSessionsNextTurn) {
  const int commits = Commits();
  for (int first = 0; first < commits; ++first) {
    SCOPED_TRACE(testing::Message() << "commit " << first);
    const std::string session = "s" + std::to_string(first);
    world.effects.clear();
    Start();
    store->fail_after = first;
    RecordingObserver observer;
    const auto accepted = SubmitInput(Go(), session, "", &observer);
    if (first == 0) {
      EXPECT_EQ(ReasonOf(accepted.status()), ErrorReason::kDiskFull);
    } else {
      ASSERT_OK(accepted);
      const TurnOutcome outcome = Await(accepted->turn);
      EXPECT_EQ(outcome.state, journal::TurnState::kRunning);
      ASSERT_THAT(observer.ends, SizeIs(1));
      EXPECT_EQ(ReasonOf(observer.ends[0].error), ErrorReason::kDiskFull);
    }
    // Still full: a next turn is refused and nothing is lost.
    EXPECT_FALSE(Ask("next", session).error.ok());
    store->fail_until = store->commits;
    const TurnOutcome next = Ask("next", session);
    ASSERT_OK(next.error);
    EXPECT_EQ(next.answer.text, "next answer");
    if (first > 0) ExpectEnded(accepted->turn, session);
    const auto lines = Conversation(session);
    EXPECT_EQ(lines.back(), "assistant: next answer");
    EXPECT_THAT(lines, Contains("user: next").Times(1));
    ExpectWhole(session);
    Stop();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace talon::agent
