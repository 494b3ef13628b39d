// SPDX-License-Identifier: Apache-2.0
// The same event twice.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using DuplicateTest = AgentTest;

TEST_F(DuplicateTest, OfACompletedTurnGetsItsAnswer) {
  Start();
  model.Say("first");
  const TurnOutcome first = Ask("a", "s", "key");
  const auto again = Submit("a", "s", "key");
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->turn, first.turn);
  EXPECT_EQ(Await(again->turn).answer.text, "first");
  EXPECT_THAT(Conversation(), ElementsAre("user: a", "assistant: first"));
  // The session is as before: the next turn fits on.
  model.Say("second");
  ASSERT_OK(Ask("b", "s", "other").error);
  EXPECT_THAT(Lines(model.requests[1]), ElementsAre("user: a", "assistant: first", "user: b"));
  ExpectWhole();
}

TEST_F(DuplicateTest, OfATurnBeforeARestartGetsItsAnswer) {
  Start();
  model.Say("first");
  const TurnOutcome first = Ask("a", "s", "key");
  Stop();
  Start();
  EXPECT_EQ(Ask("a", "s", "key").answer.text, "first");
  EXPECT_THAT(model.requests, SizeIs(1));
}

TEST_F(DuplicateTest, OfARunningTurnWaitsForIt) {
  Start();
  auto open = Closed();
  model.Hold(open, Answer(Says("slow")));
  const TurnId turn = Submit("a", "s", "key")->turn;
  const auto again = Submit("a", "s", "key");
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  open->Set(true);
  EXPECT_EQ(Await(again->turn).answer.text, "slow");
  EXPECT_EQ(again->turn, turn);
  ExpectWhole();
}

TEST_F(DuplicateTest, OfARunningTurnIsWatchedFromItsBeginning) {
  AddReader();
  Start();
  auto open = Closed();
  model.Push(Answer(Says("One.", {Call("test__look", "{}")})));
  model.Push(
      [open](model::ChatRequest, CallContext context, model::DeltaSink* sink) -> io::Task<Answer> {
        if (sink != nullptr) sink->OnText("Two. ");
        if (absl::Status held = co_await Held(context, open); !held.ok()) co_return held;
        if (sink != nullptr) sink->OnText("Three.");
        co_return Says("Two. Three.");
      });
  // Whether or not somebody watched it before.
  for (const bool watched : {true, false}) {
    RecordingObserver first, again;
    const TurnId turn = Submit("a", "s", watched ? "w" : "u", watched ? &first : nullptr)->turn;
    Run(model.asked.Reached(watched ? 2 : 4));
    Run([](DuplicateTest* self, TurnId of, TurnObserver* by) -> io::Task<int> {
      co_await self->agent->Watch(std::move(of), *by);
      co_return 0;
    }(this, turn, &again));
    EXPECT_EQ(again.text, watched ? "One.\n\nTwo." : "One.");
    open->Set(true);
    EXPECT_EQ(Await(turn).answer.text, "One.\n\nTwo. Three.");
    EXPECT_EQ(again.text, "One.\n\nTwo. Three.");
    EXPECT_EQ(first.text, watched ? "One.\n\nTwo. Three." : "");
    EXPECT_THAT(again.ends, SizeIs(1));
    open = Closed();
    model.Push(Answer(Says("One.", {Call("test__look", "{}")})));
    model.Hold(open, Answer(Says("Two. Three.")));
  }
}

TEST_F(DuplicateTest, OfATurnThatHasEndedIsWatchedByItsEnd) {
  Start();
  model.Say("first");
  const TurnOutcome first = Ask("a", "s", "key");
  RecordingObserver again;
  Run([](DuplicateTest* self, TurnId of, TurnObserver* by) -> io::Task<int> {
    co_await self->agent->Watch(std::move(of), *by);
    co_return 0;
  }(this, first.turn, &again));
  ASSERT_THAT(again.ends, SizeIs(1));
  EXPECT_EQ(again.ends[0].answer.text, "first");
}

TEST_F(DuplicateTest, ManyAtOnceRunOneTurn) {
  Start();
  model.Say("once");
  std::vector<std::string> texts;
  Run([](DuplicateTest* self, std::vector<std::string>* out) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    for (int i = 0; i < 10; ++i) {
      // Some name a session, some do not.
      nursery.Spawn([](DuplicateTest* test, int n,
                       std::vector<std::string>* all) -> io::Task<void> {
        auto accepted =
            co_await test->agent->Submit(Event(n % 2 == 0 ? "s" : "", "key"), Input("a"), nullptr);
        EXPECT_OK(accepted);
        if (!accepted.ok()) co_return;
        auto outcome = co_await test->agent->Await(accepted->turn, {});
        EXPECT_OK(outcome);
        all->push_back(outcome->answer.text);
      }(self, i, out));
    }
    co_await nursery.Join();
    co_return 0;
  }(this, &texts));
  EXPECT_EQ(texts, std::vector<std::string>(10, "once"));
  EXPECT_THAT(model.requests, SizeIs(1));
  EXPECT_THAT(*Run(journal->ListSessions(Event("").principal, 10)), SizeIs(1));
}

TEST_F(DuplicateTest, InASessionThatIsBeingMade) {
  Start();
  model.otherwise = FakeChatModel::Always(Says("ok"));
  ASSERT_OK(Ask("a", "first", "key").error);
  // The duplicate makes no session; the turn behind it does.
  Run([](DuplicateTest* self) -> io::Task<int> {
    io::Nursery nursery(self->loop);
    for (const char* key : {"key", "", ""}) {
      nursery.Spawn([](DuplicateTest* test, std::string k) -> io::Task<void> {
        auto accepted = co_await test->agent->Submit(Event("second", k), Input("a"), nullptr);
        EXPECT_OK(accepted);
        if (!accepted.ok()) co_return;
        auto outcome = co_await test->agent->Await(accepted->turn, {});
        EXPECT_OK(outcome);
        EXPECT_OK(outcome->error);
      }(self, key));
    }
    co_await nursery.Join();
    co_return 0;
  }(this));
  EXPECT_THAT(Conversation("second"), SizeIs(4));
  ExpectWhole("second");
}

TEST_F(DuplicateTest, WithAnotherRequestIsRefused) {
  Start();
  model.Say("first");
  ASSERT_OK(Ask("a", "s", "key").error);
  journal::EventEnvelope event = Event("s", "key");
  event.payload_digest = "another";
  auto refused = Run(agent->Submit(event, Input("b"), nullptr));
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kDuplicate);
  model.Say("second");
  ASSERT_OK(Ask("c").error);
  ExpectWhole();
}

TEST_F(DuplicateTest, OfATurnThatFailedWithoutEffectRunsAgain) {
  AddReader();
  Start();
  model.Call({Call("test__look", "{}")});
  model.Push(Answer(Unavailable("down")));
  const TurnOutcome failed = Ask("a", "s", "key");
  EXPECT_EQ(failed.state, journal::TurnState::kFailed);
  model.Say("now it works");
  const TurnOutcome again = Ask("a", "s", "key");
  ASSERT_OK(again.error);
  EXPECT_NE(again.turn, failed.turn);
  EXPECT_EQ(again.answer.text, "now it works");
  // That one is final.
  EXPECT_EQ(Ask("a", "s", "key").turn, again.turn);
  EXPECT_EQ(Await(failed.turn).state, journal::TurnState::kFailed);
}

TEST_F(DuplicateTest, OfATurnThatFailedBehindAnEffectGetsItsError) {
  AddWriter();
  Start();
  model.Call({Call("test__put", "{}")});
  model.Push(
      Answer(MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "overloaded")));
  const TurnOutcome failed = Ask("a", "s", "key");
  const TurnOutcome again = Ask("a", "s", "key");
  EXPECT_EQ(again.turn, failed.turn);
  EXPECT_EQ(again.state, journal::TurnState::kFailed);
  EXPECT_EQ(ReasonOf(again.error), ErrorReason::kOverloaded);
  EXPECT_EQ(world.effect_count(), 1);
}

TEST_F(DuplicateTest, OfATurnThatFailedBehindAnEffectBeforeARestartGetsItsError) {
  AddWriter();
  Start();
  model.Call({Call("test__put", "{}")});
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("a", "s", "key")->turn;
  Run(model.asked.Reached(2));
  Crash();
  model.Push(Answer(Unavailable("down")));
  Start();
  EXPECT_TRUE(absl::IsUnavailable(Await(turn).error));
  EXPECT_EQ(Ask("a", "s", "key").turn, turn);
}

TEST_F(DuplicateTest, OfACancelledTurnIsCancelled) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  const TurnId turn = Submit("a", "s", "key")->turn;
  Run(model.asked.Reached(1));
  agent->Cancel(turn, Cancelled("enough"));
  Await(turn);
  const TurnOutcome again = Ask("a", "s", "key");
  EXPECT_EQ(again.turn, turn);
  EXPECT_TRUE(absl::IsCancelled(again.error));
}

}  // namespace
}  // namespace talon::agent
