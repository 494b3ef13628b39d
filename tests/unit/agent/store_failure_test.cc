// SPDX-License-Identifier: Apache-2.0
// A store that fails in the middle of things.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class StoreFailureTest : public AgentTest {
 public:
  void Heal() {
    store->fail_until = store->commits;
    store->read_error = absl::OkStatus();
  }
  void Break() {
    store->fail_after = store->commits;
    store->fail_until = 1 << 30;
  }
};

TEST_F(StoreFailureTest, AnArrivalThatIsNotStoredLeavesNoTrace) {
  Start();
  Break();
  RecordingObserver observer;
  EXPECT_EQ(ReasonOf(Submit("a", "s", "key", &observer).status()), ErrorReason::kDiskFull);
  EXPECT_EQ(ReasonOf(Submit("b", "").status()), ErrorReason::kDiskFull);
  Heal();
  EXPECT_THAT(observer.ends, IsEmpty());
  EXPECT_EQ(agent->running_turns(), 0u);
  model.Say("ok");
  ASSERT_OK(Ask("a", "s", "key").error);
  EXPECT_THAT(Lines(model.requests[0]), ElementsAre("user: a"));
  ExpectWhole();
}

TEST_F(StoreFailureTest, ThePromptOfALostArrivalIsStoredWithTheNext) {
  Start();
  Break();
  EXPECT_FALSE(Submit("a").ok());
  Heal();
  model.Say("ok");
  const TurnOutcome outcome = Ask("b");
  ASSERT_OK(outcome.error);
  auto steps = Run(journal->LoadSteps(outcome.turn));
  auto started = ParseJson((*steps)[1].data, "step");
  EXPECT_OK(Run(journal->LoadSnapshot(JsonString(*started, "prompt"))));
}

TEST_F(StoreFailureTest, ArrivalsInOneNewSessionAreEachTried) {
  Start();
  store->fail_after = 0;
  store->fail_until = 1;
  model.otherwise = FakeChatModel::Always(Says("ok"));
  std::vector<absl::Status> told;
  Run([](StoreFailureTest* self, std::vector<absl::Status>* out) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    for (int i = 0; i < 4; ++i) {
      nursery.Spawn([](StoreFailureTest* test, std::vector<absl::Status>* all) -> io::Task<void> {
        auto accepted = co_await test->agent->Submit(Event("s"), Input("x"), nullptr);
        all->push_back(accepted.status());
        if (!accepted.ok()) co_return;
        auto outcome = co_await test->agent->Await(accepted->turn, {});
        EXPECT_OK(outcome->error);
      }(self, out));
    }
    co_await nursery.Join();
    co_return 0;
  }(this, &told));
  EXPECT_THAT(told, Contains(absl::OkStatus()).Times(3));
  EXPECT_THAT(Conversation(), SizeIs(6));
  ExpectWhole();
}

TEST_F(StoreFailureTest, WaitingTurnsAreStrandedWithTheirPredecessor) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  std::vector<RecordingObserver> observers(3);
  std::vector<TurnId> turns;
  for (std::size_t i = 0; i < 3; ++i) {
    turns.push_back(Submit(std::to_string(i), "s", "key" + std::to_string(i), &observers[i])->turn);
  }
  Break();
  open->Set(true);
  EXPECT_FALSE(Await(turns[2]).error.ok());
  for (const auto& observer : observers) {
    ASSERT_THAT(observer.ends, SizeIs(1));
    EXPECT_EQ(ReasonOf(observer.ends[0].error), ErrorReason::kDiskFull);
    EXPECT_EQ(observer.ends[0].state, journal::TurnState::kRunning);
  }
  EXPECT_THAT(model.requests, SizeIs(1));
  EXPECT_EQ(agent->running_turns(), 0u);
  EXPECT_TRUE(absl::IsUnavailable(Await(turns[0]).error));
  Heal();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  // Who repeats the request waits for the turn that was stranded.
  const TurnOutcome repeated = Ask("1", "s", "key1");
  ASSERT_OK(repeated.error);
  EXPECT_EQ(repeated.turn, turns[1]);
  ASSERT_OK(Ask("3").error);
  EXPECT_THAT(Conversation(), ElementsAre("user: 0", "assistant: ok", "user: 1", "assistant: ok",
                                          "user: 2", "assistant: ok", "user: 3", "assistant: ok"));
  ExpectWhole();
}

TEST_F(StoreFailureTest, ADuplicateTakesUpAStrandedTurnOfAnotherSession) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  const TurnId turn = Submit("a", "", "key")->turn;
  Break();
  open->Set(true);
  EXPECT_FALSE(Await(turn).error.ok());
  Heal();
  model.Say("found");
  const TurnOutcome again = Ask("a", "", "key");
  ASSERT_OK(again.error);
  EXPECT_EQ(again.turn, turn);
  EXPECT_EQ(again.answer.text, "found");
}

TEST_F(StoreFailureTest, AnArrivalDuringTheFailureComesBehindWhatIsStranded) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  model.otherwise = FakeChatModel::Always(Says("ok"));
  const TurnId first = Submit("a")->turn;
  // The end of the first turn fails; the commit of the arrival behind it does not.
  store->fail_after = store->commits;
  store->fail_until = store->commits + 1;
  auto accepted =
      Run([](StoreFailureTest* self, Open door) -> io::Task<absl::StatusOr<journal::Accepted>> {
        door->Set(true);
        while (self->store->commits == self->store->fail_after) {
          auto turn = std::make_shared<io::OneShot<bool>>();
          self->loop.Post([turn] { turn->Set(true); });
          co_await turn->Wait();
        }
        co_return co_await self->agent->Submit(Event("s"), Input("b"), nullptr);
      }(this, open));
  ASSERT_OK(accepted);
  EXPECT_OK(Await(accepted->turn).error);
  EXPECT_OK(Await(first).error);
  EXPECT_THAT(Conversation(), ElementsAre("user: a", "assistant: ok", "user: b", "assistant: ok"));
  ExpectWhole();
}

TEST_F(StoreFailureTest, ASessionThatCannotBeReadIsAnErrorAndNothingMore) {
  Start();
  store->read_error = absl::InternalError("store: read: the disk is gone");
  EXPECT_EQ(Submit("a").status().code(), absl::StatusCode::kInternal);
  Heal();
  model.Say("ok");
  ASSERT_OK(Ask("a").error);
}

TEST_F(StoreFailureTest, AStrandedTurnThatCannotBeReadStaysStranded) {
  Start();
  model.Say("first");
  ASSERT_OK(Ask("0").error);
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  const TurnId turn = Submit("a")->turn;
  Break();
  open->Set(true);
  EXPECT_FALSE(Await(turn).error.ok());
  Heal();
  store->read_error = absl::InternalError("store: read: the disk is gone");
  const auto next = Submit("b");
  ASSERT_OK(next);  // the arrival could be written
  RecordingObserver observer;
  EXPECT_FALSE(Await(next->turn).error.ok());
  Heal();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  ASSERT_OK(Ask("c").error);
  EXPECT_THAT(Conversation(), ElementsAre("user: 0", "assistant: first", "user: a", "assistant: ok",
                                          "user: b", "assistant: ok", "user: c", "assistant: ok"));
  ExpectWhole();
}

// Trying again would be refused for ever.
TEST_F(StoreFailureTest, ARecordThatIsRefusedEndsTheTurn) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  const TurnId turn = Submit("a")->turn;
  store->fault = InvalidArgument("store: a record is too large");
  store->fail_after = store->commits;
  store->fail_until = store->commits + 1;
  open->Set(true);
  EXPECT_EQ(Await(turn).state, journal::TurnState::kFailed);
  EXPECT_EQ(Record(turn).state, journal::TurnState::kFailed);
  model.Say("ok");
  ASSERT_OK(Ask("b").error);
  EXPECT_THAT(Conversation(), ElementsAre("user: a", "user: b", "assistant: ok"));
  ExpectWhole();
}

TEST_F(StoreFailureTest, ACancellationThatIsNotRecordedIsRecordedLater) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("one")));
  const TurnId first = Submit("a")->turn;
  const TurnId second = Submit("b")->turn;
  store->fail_after = store->commits;
  store->fail_until = store->commits + 1;
  EXPECT_TRUE(agent->Cancel(second, Cancelled("no")));
  EXPECT_FALSE(Await(second).error.ok());
  open->Set(true);
  EXPECT_OK(Await(first).error);
  model.Say("three");
  ASSERT_OK(Ask("c").error);
  EXPECT_EQ(Record(second).state, journal::TurnState::kCancelled);
  EXPECT_THAT(Conversation(),
              ElementsAre("user: a", "assistant: one", "user: c", "assistant: three"));
}

TEST_F(StoreFailureTest, NoEffectStartsWhoseIntentIsNotStored) {
  AddWriter();
  Start();
  model.Push([this](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
    Break();
    co_return Says("", {Call("test__put", "{}")});
  });
  const TurnId turn = Submit("a")->turn;
  EXPECT_FALSE(Await(turn).error.ok());
  EXPECT_THAT(world.calls, IsEmpty());
  Heal();
  model.Call({Call("test__put", "{}")});
  model.Say("ok");
  model.Say("next");
  ASSERT_OK(Ask("b").error);
  EXPECT_OK(Await(turn).error);
  EXPECT_EQ(world.effect_count(), 1);
  ExpectWhole();
}

TEST_F(StoreFailureTest, ASessionDeletedUnderARunningTurnEndsIt) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("lost")));
  const auto accepted = Submit("a");
  ASSERT_OK(Run(journal->DeleteSession(accepted->session)));
  open->Set(true);
  EXPECT_FALSE(Await(accepted->turn).error.ok());
  model.otherwise = FakeChatModel::Always(Says("ok"));
  // The first attempt finds out; then the session is made anew.
  EXPECT_FALSE(Ask("b").error.ok());
  EXPECT_FALSE(Await(accepted->turn).error.ok());
  ASSERT_OK(Ask("c").error);
  ExpectWhole();
}

}  // namespace
}  // namespace talon::agent
