// SPDX-License-Identifier: Apache-2.0
// Turns that wait for each other, that are cancelled, and the end of a process.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using QueueTest = AgentTest;

TEST_F(QueueTest, TurnsOfOneSessionRunInOrder) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("one")));
  model.Say("two");
  model.Say("three");
  std::vector<TurnId> turns;
  for (const char* text : {"a", "b", "c"}) turns.push_back(Submit(text)->turn);
  EXPECT_EQ(agent->running_turns(), 1u);
  open->Set(true);
  for (const TurnId& turn : turns) EXPECT_OK(Await(turn).error);
  EXPECT_THAT(Conversation(), ElementsAre("user: a", "assistant: one", "user: b", "assistant: two",
                                          "user: c", "assistant: three"));
  ExpectWhole();
}

TEST_F(QueueTest, TurnsThatArriveAtOnceRunInOrder) {
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  // All are under way before the first is stored, also the making of their session.
  Run([](QueueTest* self) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    for (int i = 0; i < 20; ++i) {
      nursery.Spawn([](QueueTest* test, int number) -> io::Task<void> {
        auto accepted =
            co_await test->agent->Submit(Event("s"), Input(std::to_string(number)), nullptr);
        EXPECT_OK(accepted);
        if (!accepted.ok()) co_return;
        auto outcome = co_await test->agent->Await(accepted->turn, {});
        EXPECT_OK(outcome);
        EXPECT_OK(outcome->error);
      }(self, i));
    }
    co_await nursery.Join();
    co_return 0;
  }(this));
  const auto lines = Conversation();
  ASSERT_THAT(lines, SizeIs(40));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(lines[2 * i], "user: " + std::to_string(i));
  ExpectWhole();
}

TEST_F(QueueTest, TwoSessionsRunInterleaved) {
  Start();
  auto first = Closed();
  model.Hold(first, Answer(Says("slow")));
  model.Say("quick");
  const TurnId slow = Submit("a", "one")->turn;
  EXPECT_EQ(Ask("b", "two").answer.text, "quick");
  first->Set(true);
  EXPECT_EQ(Await(slow).answer.text, "slow");
}

TEST_F(QueueTest, MoreWaitingTurnsThanAllowedAreRefused) {
  options.max_queued_turns = 2;
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("one")));
  model.otherwise = FakeChatModel::Always(Says("ok"));
  std::vector<TurnId> turns;
  for (int i = 0; i < 3; ++i) turns.push_back(Submit("x")->turn);
  const auto refused = Submit("too many");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(refused.status())), HasSubstr("max_queued_turns"));
  ASSERT_OK(Submit("elsewhere", "other"));
  open->Set(true);
  for (const TurnId& turn : turns) EXPECT_OK(Await(turn).error);
}

TEST_F(QueueTest, TurnsOnTheirWayIntoTheJournalCountAsWaiting) {
  options.max_queued_turns = 2;
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  ASSERT_OK(Ask("the session is made").error);
  int refused = 0;
  Run([](QueueTest* self, int* out) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    for (int i = 0; i < 10; ++i) {
      nursery.Spawn([](QueueTest* test, int* count) -> io::Task<void> {
        auto accepted = co_await test->agent->Submit(Event("s"), Input("x"), nullptr);
        if (!accepted.ok()) ++*count;
      }(self, out));
    }
    co_await nursery.Join();
    co_return 0;
  }(this, &refused));
  EXPECT_EQ(refused, 7);
}

TEST_F(QueueTest, WithoutAQueueAnIdleSessionStillTakesATurn) {
  options.max_queued_turns = 0;
  Start();
  model.Say("ok");
  ASSERT_OK(Ask("hi").error);
}

TEST_F(QueueTest, SessionsWaitForASlotAndGetItInTurn) {
  options.max_concurrent_sessions = 1;
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("a1")));
  for (const char* text : {"b1", "a2", "b2", "a3"}) model.Say(text);
  std::vector<TurnId> turns;
  for (const char* session : {"a", "a", "a", "b", "b"}) turns.push_back(Submit("x", session)->turn);
  EXPECT_EQ(agent->running_turns(), 1u);
  open->Set(true);
  for (const TurnId& turn : turns) EXPECT_OK(Await(turn).error);
  // A long queue does not keep the place.
  EXPECT_THAT(Conversation("a"), ElementsAre("user: x", "assistant: a1", "user: x", "assistant: a2",
                                             "user: x", "assistant: a3"));
  EXPECT_THAT(Conversation("b"),
              ElementsAre("user: x", "assistant: b1", "user: x", "assistant: b2"));
}

TEST_F(QueueTest, ManySessionsAtOnceStayWithinTheCache) {
  options.cached_sessions = 4;
  options.max_concurrent_sessions = 3;
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  std::vector<TurnId> turns;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 12; ++i) {
      turns.push_back(Submit(std::to_string(round), "s" + std::to_string(i))->turn);
    }
  }
  for (const TurnId& turn : turns) EXPECT_OK(Await(turn).error);
  for (int i = 0; i < 12; ++i) {
    EXPECT_THAT(Conversation("s" + std::to_string(i)), SizeIs(6));
    ExpectWhole("s" + std::to_string(i));
  }
}

TEST_F(QueueTest, ATurnIsCancelledWhileItsModelRuns) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  model.Say("next");
  RecordingObserver observer;
  const TurnId turn = Submit("a", "s", "", &observer)->turn;
  Run(model.asked.Reached(1));
  EXPECT_TRUE(agent->Cancel(turn, Cancelled("enough")));
  const TurnOutcome outcome = Await(turn);
  EXPECT_EQ(outcome.state, journal::TurnState::kCancelled);
  EXPECT_TRUE(absl::IsCancelled(outcome.error));
  EXPECT_EQ(Record(turn).state, journal::TurnState::kCancelled);
  EXPECT_THAT(observer.ends, SizeIs(1));
  EXPECT_FALSE(agent->Cancel(turn, Cancelled("again")));
  ASSERT_OK(Ask("b").error);
}

TEST_F(QueueTest, ATurnIsCancelledWhileItsToolRuns) {
  AddTool(WriteSpec("test__slow"),
          [](tool::Invocation, CallContext context) -> io::Task<FakeTool::Output> {
            co_return co_await Held(context, Closed());
          });
  AddWriter();
  Start();
  model.Call({Call("test__slow", "{}", "a"), Call("test__put", "{}", "b")});
  model.Say("next");
  const TurnId turn = Submit("go")->turn;
  Run(world.begun.Reached(1));
  EXPECT_TRUE(agent->Cancel(turn, Cancelled("enough")));
  EXPECT_EQ(Await(turn).state, journal::TurnState::kCancelled);
  EXPECT_EQ(world.effect_count(), 0);
  const auto effects = Effects(turn);
  ASSERT_THAT(effects, SizeIs(1));
  EXPECT_EQ(effects[0].state, journal::EffectState::kUnknown);  // it was under way
  // The call that was not run shows as such in the next turn.
  ASSERT_OK(Ask("what happened?").error);
  EXPECT_THAT(Lines(model.requests.back()),
              ElementsAre("user: go", testing::_, "tool: error: enough", "tool: [no result]",
                          "user: what happened?"));
}

TEST_F(QueueTest, ACancelledTurnRunsNoFurtherCall) {
  AddWriter();
  Start();
  // Cancelled between the answer and its calls.
  TurnId turn;
  model.Push([&](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    agent->Cancel(turn, Cancelled("enough"));
    co_return Says("", {Call("test__put", "{}")});
  });
  turn = Submit("go")->turn;
  EXPECT_EQ(Await(turn).state, journal::TurnState::kCancelled);
  EXPECT_THAT(world.calls, IsEmpty());
}

TEST_F(QueueTest, AWaitingTurnIsCancelledAtOnce) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("one")));
  model.Say("three");
  const TurnId first = Submit("a")->turn;
  const TurnId second = Submit("b")->turn;
  const TurnId third = Submit("c")->turn;
  EXPECT_TRUE(agent->Cancel(second, Cancelled("never mind")));
  const TurnOutcome outcome = Await(second);  // while the first still runs
  EXPECT_EQ(outcome.state, journal::TurnState::kCancelled);
  EXPECT_EQ(Record(second).state, journal::TurnState::kCancelled);
  open->Set(true);
  EXPECT_OK(Await(first).error);
  EXPECT_OK(Await(third).error);
  EXPECT_THAT(Conversation(),
              ElementsAre("user: a", "assistant: one", "user: c", "assistant: three"));
}

TEST_F(QueueTest, ATurnPastItsDeadlineFails) {
  AddReader();
  AddTool(ReadSpec("test__wait"),
          [this](tool::Invocation call, CallContext context) -> io::Task<FakeTool::Output> {
            EXPECT_LE(context.deadline - clock.SteadyNow(), guard_options.tool_timeout);
            clock.shift += options.turn_timeout;
            co_return Gives(call, "late");
          });
  Start();
  model.Call({Call("test__wait", "{}", "a")});
  const TurnOutcome outcome = Ask("go");
  EXPECT_EQ(outcome.state, journal::TurnState::kFailed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.error));
  EXPECT_THAT(std::string(Message(outcome.error)), HasSubstr("turn_timeout"));
  EXPECT_THAT(model.requests, SizeIs(1));
}

TEST_F(QueueTest, WaitingForATurnHasItsOwnDeadlineAndCancellation) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("ok")));
  const TurnId turn = Submit("a")->turn;
  CallContext now;
  now.deadline = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Run(agent->Await(turn, now)).status()));
  CancelSource gone;
  gone.Cancel(Cancelled("gone"));
  CallContext cancelled;
  cancelled.cancel = gone.token();
  EXPECT_TRUE(absl::IsCancelled(Run(agent->Await(turn, cancelled)).status()));
  open->Set(true);
  EXPECT_OK(Await(turn).error);
}

TEST_F(QueueTest, AForgottenObserverSeesNothingMore) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("ok")));
  auto observer = std::make_unique<RecordingObserver>();
  const TurnId turn = Submit("a", "s", "", observer.get())->turn;
  agent->Forget(turn, observer.get());
  observer.reset();
  open->Set(true);
  EXPECT_OK(Await(turn).error);
}

TEST_F(QueueTest, StopLetsTurnsEnd) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("done")));
  RecordingObserver running, waiting;
  const TurnId first = Submit("a", "s", "", &running)->turn;
  const TurnId second = Submit("b", "s", "", &waiting)->turn;
  Run([](QueueTest* self, Open door) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    nursery.Spawn([](QueueTest* test, Open gate) -> io::Task<void> {
      auto late = co_await test->agent->Submit(Event("other"), Input("late"), nullptr);
      EXPECT_TRUE(absl::IsUnavailable(late.status()));
      gate->Set(true);
    }(self, door));
    co_await self->agent->Stop(std::chrono::steady_clock::now() + std::chrono::hours(1));
    co_await nursery.Join();
    co_return 0;
  }(this, open));
  ASSERT_THAT(running.ends, SizeIs(1));
  EXPECT_EQ(running.ends[0].state, journal::TurnState::kCompleted);
  ASSERT_THAT(waiting.ends, SizeIs(1));
  EXPECT_EQ(waiting.ends[0].state, journal::TurnState::kRunning);
  EXPECT_TRUE(absl::IsUnavailable(waiting.ends[0].error));
  EXPECT_EQ(Record(first).state, journal::TurnState::kCompleted);
  EXPECT_EQ(Record(second).state, journal::TurnState::kRunning);
  Stop();
  model.Say("at last");
  Start();
  EXPECT_EQ(Await(second).answer.text, "at last");
  EXPECT_THAT(Conversation(),
              ElementsAre("user: a", "assistant: done", "user: b", "assistant: at last"));
}

TEST_F(QueueTest, StopParksWhatDoesNotEnd) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  RecordingObserver observer;
  const TurnId turn = Submit("a", "s", "", &observer)->turn;
  Run(model.asked.Reached(1));
  Stop();
  ASSERT_THAT(observer.ends, SizeIs(1));
  EXPECT_EQ(observer.ends[0].state, journal::TurnState::kRunning);
  model.Say("resumed");
  Start();
  EXPECT_EQ(Await(turn).answer.text, "resumed");
  ExpectWhole();
}

TEST_F(QueueTest, ATurnThatWasCancelledBeforeTheStopIsCancelled) {
  Start();
  auto open = Closed();
  // Does not listen to its cancellation.
  model.Push([open](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    co_await open->Wait();
    co_return Cancelled("told to stop");
  });
  const TurnId turn = Submit("a")->turn;
  Run(model.asked.Reached(1));
  agent->Cancel(turn, Cancelled("by the user"));
  loop.Post([open] { open->Set(true); });
  Run([](Agent* a) -> io::Task<int> {
    co_await a->Stop(std::chrono::steady_clock::now());
    co_return 0;
  }(agent.get()));
  EXPECT_EQ(Record(turn).state, journal::TurnState::kCancelled);
}

TEST_F(QueueTest, ATurnAcceptedDuringTheStopRunsAtTheNextStart) {
  Start();
  absl::Status told;
  Run([](QueueTest* self, absl::Status* out) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    nursery.Spawn([](QueueTest* test, absl::Status* status) -> io::Task<void> {
      *status = (co_await test->agent->Submit(Event("s"), Input("a"), nullptr)).status();
    }(self, out));
    // Lets it come as far as the journal.
    while (self->store->commits == 0) {
      auto turn = std::make_shared<io::OneShot<bool>>();
      self->loop.Post([turn] { turn->Set(true); });
      co_await turn->Wait();
    }
    co_await self->agent->Stop(std::chrono::steady_clock::now() + std::chrono::hours(1));
    co_await nursery.Join();
    co_return 0;
  }(this, &told));
  EXPECT_TRUE(absl::IsUnavailable(told)) << told;
  Stop();
  model.Say("later");
  Start();
  Run(model.asked.Reached(1));
  EXPECT_THAT(Lines(model.requests[0]), ElementsAre("user: a"));
}

TEST_F(QueueTest, AChangedSessionIsReadAnew) {
  model::ModelEntry other;
  other.id = "other";
  models.providers["fake"].models.push_back(other);
  Start();
  auto open = Closed();
  model.Say("one");
  ASSERT_OK(Ask("a").error);
  auto record = **Run(journal->FindSession(Event("s").principal, "s"));
  record.model = "fake/other";
  ASSERT_OK(Run(journal->UpdateSession(record)));
  agent->Evict(record.id);
  model.Hold(open, Answer(Says("two")));
  const TurnId second = Submit("b")->turn;
  model.Say("three");
  const TurnId third = Submit("c")->turn;
  // While a turn runs and one waits.
  record.model = "";
  ASSERT_OK(Run(journal->UpdateSession(record)));
  agent->Evict(record.id);
  open->Set(true);
  EXPECT_EQ(Await(second).answer.model, "fake/other");
  EXPECT_EQ(Await(third).answer.model, "fake/m");
  EXPECT_THAT(Lines(model.requests.back()), SizeIs(5));
  ExpectWhole();
}

TEST_F(QueueTest, ASessionIsDeletedOnlyWhenNothingRunsInIt) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("one")));
  const auto accepted = Submit("a");
  EXPECT_EQ(Run(agent->DeleteSession(accepted->session)).code(),
            absl::StatusCode::kFailedPrecondition);
  open->Set(true);
  EXPECT_OK(Await(accepted->turn).error);
  EXPECT_OK(Run(agent->DeleteSession(accepted->session)));
  EXPECT_TRUE(absl::IsNotFound(Run(agent->DeleteSession(accepted->session))));
  EXPECT_TRUE(absl::IsNotFound(Await(accepted->turn).error));
  model.Say("anew");
  const auto again = Submit("b");
  ASSERT_OK(again);
  EXPECT_NE(again->session, accepted->session);
  EXPECT_OK(Await(again->turn).error);
  EXPECT_THAT(Conversation(), ElementsAre("user: b", "assistant: anew"));
}

TEST_F(QueueTest, ASessionDeletedBehindTheAgentsBackIsMadeAnew) {
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  const auto accepted = Submit("a");
  EXPECT_OK(Await(accepted->turn).error);
  EXPECT_OK(Run(journal->DeleteSession(accepted->session)));
  EXPECT_TRUE(absl::IsAborted(Submit("b").status()));
  EXPECT_OK(Ask("c").error);
  EXPECT_THAT(Conversation(), ElementsAre("user: c", "assistant: ok"));
}

TEST_F(QueueTest, AModelThatIsNoLongerConfiguredIsNamed) {
  Start();
  model.Say("one");
  ASSERT_OK(Ask("a").error);
  auto record = **Run(journal->FindSession(Event("s").principal, "s"));
  record.model = "gone/model";
  ASSERT_OK(Run(journal->UpdateSession(record)));
  agent->Evict(record.id);
  EXPECT_EQ(ReasonOf(Submit("b").status()), ErrorReason::kUnknownModel);
  TurnInput input = Input("c");
  input.model = "fake/m";
  model.Say("two");
  ASSERT_OK(AskInput(input).error);
  ExpectWhole();
}

}  // namespace
}  // namespace talon::agent
