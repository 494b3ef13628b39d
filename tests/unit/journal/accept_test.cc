// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "io/nursery.h"
#include "journal/entry_writer.h"
#include "tests/unit/journal/journal_fixture.h"

namespace talon::journal {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using AcceptTest = JournalTest;

TEST_F(AcceptTest, EventTurnSessionAndMessagesSurviveARestart) {
  const auto accepted = Arrive("a");
  ASSERT_OK(accepted);
  EXPECT_FALSE(accepted->duplicate);
  Reopen();
  const auto turn = Run(journal_->LoadTurn(accepted->turn));
  ASSERT_OK(turn);
  EXPECT_EQ(turn->session, SessionId("ses_a"));
  EXPECT_EQ(turn->event, EventId("evt_a"));
  EXPECT_EQ(turn->payload, R"({"text":"a"})");
  EXPECT_EQ(turn->state, TurnState::kRunning);
  EXPECT_EQ(turn->started_at, clock_.now);
  EXPECT_EQ(turn->principal.origin, "http");
  const auto messages = Run(journal_->LoadMessages(SessionId("ses_a"), 10));
  ASSERT_OK(messages);
  ASSERT_THAT(*messages, SizeIs(1));
  EXPECT_EQ(messages->front().turn, accepted->turn);
  EXPECT_EQ(messages->front().label.integrity, Integrity::kUser);
  const auto steps = Run(journal_->LoadSteps(accepted->turn));
  ASSERT_OK(steps);
  ASSERT_THAT(*steps, SizeIs(1));
  EXPECT_EQ(steps->front().kind, StepKind::kAccepted);
  EXPECT_EQ(steps->front().label.integrity, Integrity::kTrusted);
}

TEST_F(AcceptTest, UnknownTurnIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadTurn(TurnId("turn_x"))).status()));
}

TEST_F(AcceptTest, KnownDedupeKeyReturnsTheFirstArrival) {
  ASSERT_OK(Arrive("s"));
  EventEnvelope event = Event("1");
  event.dedupe_key = "key";
  event.payload_digest = "d1";
  ASSERT_OK(Run(journal_->Accept(event, Turn("1", "s"), {})));
  event.id = EventId("evt_2");
  const auto again = Run(journal_->Accept(event, Turn("2", "s"), {}));
  ASSERT_OK(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->event, EventId("evt_1"));
  EXPECT_EQ(again->turn, TurnId("turn_1"));
  EXPECT_EQ(again->session, SessionId("ses_s"));
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadTurn(TurnId("turn_2"))).status()));
}

TEST_F(AcceptTest, KnownDedupeKeyForAnotherRequestIsRefused) {
  ASSERT_OK(Arrive("s"));
  EventEnvelope event = Event("1");
  event.dedupe_key = "key";
  event.payload_digest = "d1";
  ASSERT_OK(Run(journal_->Accept(event, Turn("1", "s"), {})));
  event.payload_digest = "d2";
  const auto other = Run(journal_->Accept(event, Turn("2", "s"), {}));
  EXPECT_TRUE(absl::IsInvalidArgument(other.status())) << StatusText(other.status());
  EXPECT_EQ(ReasonOf(other.status()), ErrorReason::kDuplicate);
}

TEST_F(AcceptTest, DedupeKeysOfOtherSourcesAndPrincipalsAreTheirOwn) {
  ASSERT_OK(Arrive("s"));
  EventEnvelope event = Event("1");
  event.dedupe_key = "key";
  ASSERT_OK(Run(journal_->Accept(event, Turn("1", "s"), {})));
  EventEnvelope from_elsewhere = event;
  from_elsewhere.source = "webhook";
  const auto second = Run(journal_->Accept(from_elsewhere, Turn("2", "s"), {}));
  ASSERT_OK(second);
  EXPECT_FALSE(second->duplicate);
  EventEnvelope of_another = event;
  of_another.principal.user = "guest";
  const auto third = Run(journal_->Accept(of_another, Turn("3", "s"), {}));
  ASSERT_OK(third);
  EXPECT_FALSE(third->duplicate);
}

TEST_F(AcceptTest, OfConcurrentDuplicatesOneWins) {
  ASSERT_OK(Arrive("s"));
  std::vector<absl::StatusOr<Accepted>> outcomes(8, absl::UnknownError("not run"));
  const auto one = [](Journal* journal, EventEnvelope event, TurnRecord turn,
                      absl::StatusOr<Accepted>* out) -> io::Task<void> {
    *out = co_await journal->Accept(std::move(event), std::move(turn), {});
  };
  const auto all = [&]() -> io::Task<bool> {
    io::Nursery nursery(loop_);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      EventEnvelope event = Event(std::to_string(i));
      event.dedupe_key = "key";
      nursery.Spawn(one(journal_.get(), event, Turn(std::to_string(i), "s"), &outcomes[i]));
    }
    co_await nursery.Join();
    co_return true;
  };
  Run(all());
  int winners = 0;
  for (const auto& outcome : outcomes) {
    ASSERT_OK(outcome);
    winners += outcome->duplicate ? 0 : 1;
    EXPECT_EQ(outcome->turn, outcomes.front()->turn);
  }
  EXPECT_EQ(winners, 1);
}

TEST_F(AcceptTest, SessionKeyBelongsToOnePrincipal) {
  ASSERT_OK(Arrive("s"));
  Entry entry;
  SessionRecord again = Session("s");
  again.id = SessionId("ses_other");
  entry.new_sessions = {again};
  const auto refused = Run(journal_->Accept(Event("2"), Turn("2", "other"), entry));
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kDuplicate) << StatusText(refused.status());
  entry.new_sessions.front().principal.user = "guest";
  EXPECT_TRUE(Run(journal_->Accept(Event("2"), Turn("2", "other"), entry)).ok());
}

TEST_F(AcceptTest, SessionsWithoutAKeyAreAllNew) {
  for (const std::string name : {"1", "2"}) {
    Entry entry;
    entry.new_sessions = {Session(name)};
    entry.new_sessions.front().key.clear();
    ASSERT_OK(Run(journal_->Accept(Event(name), Turn(name, name), std::move(entry))));
  }
  const auto found = Run(journal_->FindSession(Session("1").principal, ""));
  ASSERT_OK(found);
  EXPECT_FALSE(found->has_value());
}

TEST_F(AcceptTest, TurnOfAnUnknownSessionLeavesNothing) {
  const auto refused = Run(journal_->Accept(Event("1"), Turn("1", "none"), {}));
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(StatusText(refused.status()), HasSubstr("evt_1"));
  const auto unfinished = Run(journal_->UnfinishedTurns(0, 10));
  ASSERT_OK(unfinished);
  EXPECT_THAT(unfinished->turns, IsEmpty());
}

TEST(PrincipalNumber, TellsFieldsApart) {
  const Principal a{"t", "u", "v", ""};
  EXPECT_EQ(PrincipalNumber(a), PrincipalNumber(a));
  EXPECT_GE(PrincipalNumber(a), 0);
  EXPECT_NE(PrincipalNumber(a), PrincipalNumber({"t", "uv", "", ""}));
  EXPECT_NE(PrincipalNumber(a), PrincipalNumber({"t", "u", "", "v"}));
  EXPECT_NE(PrincipalNumber({"a", "", "", ""}), PrincipalNumber({"", "a", "", ""}));
}

}  // namespace
}  // namespace talon::journal
