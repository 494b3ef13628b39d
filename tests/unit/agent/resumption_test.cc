// SPDX-License-Identifier: Apache-2.0
// What must hold over all the processes of a turn: it ends in the end, and its limits are its own.
#include <stdexcept>

#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using std::chrono::minutes;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ResumptionTest : public AgentTest {
 public:
  // The process ends while the model answers for the `asked`-th time.
  void CrashInModel(int asked) {
    Run(model.asked.Reached(asked));
    Crash();
  }
  void AddSlow(const std::string& name, std::chrono::milliseconds takes) {
    AddTool(ReadSpec(name),
            [this, takes](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
              clock.shift += takes;
              co_return Gives(call, "done");
            });
  }
  // One long call, a crash, an hour without a daemon, another long call.
  TurnOutcome TwoCallsOf(std::chrono::milliseconds first, std::chrono::milliseconds second) {
    options.turn_timeout = minutes(10);
    AddSlow("test__first", first);
    AddSlow("test__second", second);
    Start();
    model.Call({Call("test__first", "{}")});
    model.Hold(Closed(), Answer(Says("never")));
    const TurnId turn = Submit("go")->turn;
    CrashInModel(2);
    clock.shift += std::chrono::hours(1);
    model.Call({Call("test__second", "{}")});
    model.Say("ok");
    Start();
    return Await(turn);
  }
};

TEST_F(ResumptionTest, ATurnThatEndsTheProcessAgainAndAgainIsGivenUp) {
  options.max_resumptions = 2;
  TurnId turn;
  for (int process = 1; process <= 3; ++process) {
    model.Hold(Closed(), Answer(Says("never")));
    Start();
    if (process == 1) turn = Submit("go")->turn;
    CrashInModel(process);
  }
  Start();
  const TurnOutcome outcome = Await(turn);
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  EXPECT_THAT(StatusText(outcome.error), HasSubstr("the daemon ended 3 times"));
  EXPECT_EQ(model.asked.count(), 3);
  EXPECT_EQ(Record(turn).state, journal::TurnState::kFailed);
  // The session goes on.
  model.Say("hello");
  EXPECT_EQ(Ask("hi").answer.text, "hello");
  ExpectWhole();
}

TEST_F(ResumptionTest, AStepFurtherStartsTheCountAnew) {
  options.max_resumptions = 1;
  AddReader();
  model.Hold(Closed(), Answer(Says("never")));
  Start();
  const TurnId turn = Submit("go")->turn;
  CrashInModel(1);
  model.Call({Call("test__look", "{}")});
  model.Hold(Closed(), Answer(Says("never")));
  Start();
  CrashInModel(3);
  model.Say("ok");
  Start();
  EXPECT_EQ(Await(turn).answer.text, "ok");
  EXPECT_THAT(Steps(turn), Contains("resumed").Times(2));
}

TEST_F(ResumptionTest, AGivenUpTurnThatHadAnEffectIsNotRunAnewUnderItsKey) {
  options.max_resumptions = 1;
  AddWriter();
  model.Call({Call("test__put", "{}")});
  model.Hold(Closed(), Answer(Says("never")));
  model.Hold(Closed(), Answer(Says("never")));
  Start();
  const TurnId turn = Submit("go", "s", "key")->turn;
  CrashInModel(2);
  Start();
  CrashInModel(3);
  Start();
  EXPECT_EQ(Await(turn).state, journal::TurnState::kFailed);
  EXPECT_EQ(Submit("go", "s", "key")->turn, turn);
  EXPECT_EQ(world.effect_count(), 1);
}

TEST_F(ResumptionTest, OneTurnThatEndsTheProcessDoesNotTakeOthersWithIt) {
  options.max_resumptions = 3;
  const auto held = [this](int times) {
    for (int i = 0; i < times; ++i) model.Hold(Closed(), Answer(Says("never")));
  };
  held(6);
  Start();
  const TurnId bad = Submit("bad", "a")->turn;
  const TurnId good = Submit("good", "b")->turn;
  CrashInModel(2);
  Start();
  CrashInModel(4);
  Start();
  CrashInModel(6);
  // Both are suspects now: only the older one runs.
  held(1);
  Start();
  CrashInModel(7);
  EXPECT_THAT(Lines(model.requests.back()), ElementsAre("user: bad"));
  model.Say("unharmed");
  Start();
  EXPECT_EQ(Await(bad).state, journal::TurnState::kFailed);
  EXPECT_EQ(Await(good).answer.text, "unharmed");
  EXPECT_EQ(model.asked.count(), 8);
}

TEST_F(ResumptionTest, SuspectsFollowEachOther) {
  options.max_resumptions = 3;
  model.otherwise = [](model::ChatRequest, CallContext context,
                       model::DeltaSink*) -> io::Task<Answer> {
    co_return co_await Held(context, Closed());
  };
  std::vector<TurnId> turns;
  for (int process = 1; process <= 3; ++process) {
    Start();
    for (int i = 0; process == 1 && i < 4; ++i) {
      turns.push_back(Submit("go", fmt::format("s{}", i))->turn);
    }
    CrashInModel(4 * process);
  }
  const auto open = Closed();
  model.Hold(open, Answer(Says("ok")));
  model.otherwise = FakeChatModel::Always(Answer(Says("ok")));
  Start();
  Run(model.asked.Reached(13));
  agent->Cancel(turns[2], Cancelled("no more"));  // while it waits for its place
  open->Set(true);
  for (const int i : {0, 1, 3}) EXPECT_EQ(Await(turns[i]).answer.text, "ok");
  EXPECT_EQ(Await(turns[2]).state, journal::TurnState::kCancelled);
}

TEST_F(ResumptionTest, AnExceptionFailsItsTurnOnly) {
  Start();
  const auto open = Closed();
  model.Hold(open, Answer(Says("unharmed")));
  model.Push([](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    throw std::runtime_error("a bug");
    co_return Says("never");
  });
  const TurnId other = Submit("wait", "other")->turn;
  const TurnOutcome outcome = Ask("go");
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  EXPECT_EQ(outcome.error.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Record(outcome.turn).state, journal::TurnState::kFailed);
  open->Set(true);
  EXPECT_EQ(Await(other).answer.text, "unharmed");
  model.Say("hello");
  EXPECT_EQ(Ask("hi").answer.text, "hello");
  EXPECT_THAT(Conversation(), ElementsAre("user: go", "user: hi", "assistant: hello"));
  ExpectWhole();
}

TEST_F(ResumptionTest, AnExceptionOfAToolIsTheCallsError) {
  auto throws = [](tool::Invocation, CallContext) -> io::Task<FakeTool::Output> {
    throw std::runtime_error("a bug");
    co_return absl::OkStatus();
  };
  AddReader();
  AddTool(ReadSpec("test__bad"), throws);
  AddTool(WriteSpec("test__put"), throws);
  Start();
  model.Call({Call("test__look", "{}"), Call("test__bad", "{}"), Call("test__put", "{}")});
  model.Say("ok");
  const TurnOutcome outcome = Ask("go");
  ASSERT_OK(outcome.error);
  EXPECT_THAT(Steps(outcome.turn), Contains("tool_finished done").Times(1));
  ASSERT_THAT(Effects(outcome.turn), SizeIs(1));
  EXPECT_EQ(Effects(outcome.turn)[0].state, journal::EffectState::kUnknown);
  ExpectWhole();
}

TEST_F(ResumptionTest, TheTimeOfAllProcessesCounts) {
  const TurnOutcome outcome = TwoCallsOf(minutes(8), minutes(3));
  EXPECT_EQ(outcome.error.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(StatusText(outcome.error), HasSubstr("orchestrator.turn_timeout"));
}

TEST_F(ResumptionTest, TheTimeWithoutADaemonDoesNotCount) {
  EXPECT_EQ(TwoCallsOf(minutes(8), minutes(1)).answer.text, "ok");
}

TEST_F(ResumptionTest, AClockThatIsSetCountsForNothing) {
  for (const auto jump : {std::chrono::days(400), std::chrono::days(-400)}) {
    AddTool(ReadSpec("test__jump"),
            [this, jump](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
              clock.jump += jump;
              co_return Gives(call, "done");
            });
    Start();
    model.Call({Call("test__jump", "{}")});
    model.Hold(Closed(), Answer(Says("never")));
    const int asked = model.asked.count();
    const TurnId turn = Submit("go")->turn;
    CrashInModel(asked + 2);
    model.Say("ok");
    Start();
    EXPECT_EQ(Await(turn).answer.text, "ok");
    Crash();
    ForgetTools();
  }
}

TEST_F(ResumptionTest, CirclesAreSeenOverRestarts) {
  options.no_progress_rounds = 4;
  AddReader();
  Start();
  for (int i = 0; i < 3; ++i) model.Call({Call("test__look", "{}")});
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("go")->turn;
  CrashInModel(4);
  for (int i = 0; i < 2; ++i) model.Call({Call("test__look", "{}")});
  model.Say("I give up");
  Start();
  EXPECT_EQ(Await(turn).answer.text, "I give up");
  EXPECT_THAT(world.calls, SizeIs(4));  // the fifth was blocked
  EXPECT_EQ(model.requests.back().tool_choice, model::ToolChoice::kNone);
}

TEST_F(ResumptionTest, ManyUnfinishedTurnsAreTakenUpInOrder) {
  options.max_concurrent_sessions = 2;
  model.otherwise = [](model::ChatRequest, CallContext context,
                       model::DeltaSink*) -> io::Task<Answer> {
    co_return co_await Held(context, Closed());
  };
  Start();
  std::vector<TurnId> turns;
  for (int i = 0; i < 300; ++i) {
    turns.push_back(Submit(fmt::format("go {}", i), fmt::format("s{}", i))->turn);
    turns.push_back(Submit(fmt::format("on {}", i), fmt::format("s{}", i))->turn);
  }
  Crash();
  model.otherwise = FakeChatModel::Always(Answer(Says("ok")));
  Start();
  for (const TurnId& turn : turns) EXPECT_EQ(Await(turn).answer.text, "ok");
  EXPECT_THAT(Conversation("s299"),
              ElementsAre("user: go 299", "assistant: ok", "user: on 299", "assistant: ok"));
}

}  // namespace
}  // namespace talon::agent
