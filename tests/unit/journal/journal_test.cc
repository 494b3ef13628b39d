// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/unit/journal/journal_fixture.h"

namespace talon::journal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(JournalTest, TurnRunsToItsEnd) {
  ASSERT_OK(Arrive("a"));
  const auto running = Run(journal_->UnfinishedTurns(0, 10));
  ASSERT_OK(running);
  ASSERT_THAT(running->turns, SizeIs(1));
  EXPECT_EQ(running->turns.front().id, TurnId("turn_a"));
  EXPECT_EQ(Run(journal_->LoadTurn(TurnId("turn_a")))->payload, R"({"text":"a"})");

  Entry end;
  end.steps = {Step("a", 2, StepKind::kModelFinished), Step("a", 3, StepKind::kFinished)};
  end.outbox = {Outbox("a", "caller")};
  end.turn_end = {TurnId("turn_a"), TurnState::kCompleted, R"({"text":"done"})", ""};
  clock_.now += std::chrono::seconds(5);
  ASSERT_OK(Run(journal_->Append(end)));

  Reopen();
  const auto turn = Run(journal_->LoadTurn(TurnId("turn_a")));
  ASSERT_OK(turn);
  EXPECT_EQ(turn->state, TurnState::kCompleted);
  EXPECT_EQ(turn->answer, R"({"text":"done"})");
  EXPECT_EQ(turn->finished_at - turn->started_at, std::chrono::seconds(5));
  EXPECT_THAT(Run(journal_->UnfinishedTurns(0, 10))->turns, IsEmpty());
  EXPECT_THAT(*Run(journal_->LoadSteps(TurnId("turn_a"))), SizeIs(3));
}

TEST_F(JournalTest, UnfinishedTurnsComeInPagesWithoutPayloads) {
  for (const char* name : {"a", "b", "c"}) ASSERT_OK(Arrive(name));
  std::vector<std::string> seen;
  std::int64_t after = 0;
  for (const std::size_t size : {2U, 1U, 0U}) {
    const auto page = Run(journal_->UnfinishedTurns(after, 2));
    ASSERT_OK(page);
    EXPECT_THAT(page->turns, SizeIs(size));
    for (const TurnRecord& turn : page->turns) {
      seen.push_back(turn.id.str());
      EXPECT_EQ(turn.payload, "");
    }
    after = page->last;
  }
  EXPECT_THAT(seen, ElementsAre("turn_a", "turn_b", "turn_c"));
}

TEST_F(JournalTest, TurnEndsOnce) {
  ASSERT_OK(Arrive("a"));
  Entry end;
  end.turn_end = {TurnId("turn_a"), TurnState::kFailed, "", R"({"reason":"quota"})"};
  ASSERT_OK(Run(journal_->Append(end)));
  end.turn_end->state = TurnState::kCompleted;
  EXPECT_EQ(ReasonOf(Run(journal_->Append(end))), ErrorReason::kDuplicate);
  EXPECT_EQ(Run(journal_->LoadTurn(TurnId("turn_a")))->error, R"({"reason":"quota"})");
}

TEST_F(JournalTest, StepAndMessageNumbersAreUsedOnce) {
  ASSERT_OK(Arrive("a"));
  Entry step;
  step.steps = {Step("a", 1, StepKind::kModelStarted)};
  EXPECT_EQ(ReasonOf(Run(journal_->Append(step))), ErrorReason::kDuplicate);
  Entry message;
  message.messages = {Message("a", 1, "a", "again")};
  EXPECT_EQ(ReasonOf(Run(journal_->Append(message))), ErrorReason::kDuplicate);
  Entry out_of_range;
  out_of_range.steps = {Step("a", 1 << 20, StepKind::kModelStarted)};
  EXPECT_FALSE(Run(journal_->Append(out_of_range)).ok());
  Entry no_turn;
  no_turn.messages = {Message("a", 2, "none", "hello")};
  EXPECT_FALSE(Run(journal_->Append(no_turn)).ok());
}

TEST_F(JournalTest, EffectIsUpdatedUnderItsKey) {
  ASSERT_OK(Arrive("a"));
  Entry intended;
  intended.effects = {Effect("a", "k1")};
  intended.effects.front().label = MakeLabel(Integrity::kUntrusted, "owner");
  ASSERT_OK(Run(journal_->Append(intended)));
  Entry done = intended;
  done.effects.front().state = EffectState::kDone;
  done.effects.front().result = R"({"bytes":3})";
  ASSERT_OK(Run(journal_->Append(done)));
  const auto effects = Run(journal_->LoadEffects(TurnId("turn_a")));
  ASSERT_OK(effects);
  ASSERT_THAT(*effects, SizeIs(1));
  EXPECT_EQ(effects->front().state, EffectState::kDone);
  EXPECT_EQ(effects->front().result, R"({"bytes":3})");
  EXPECT_EQ(effects->front().tool, "files__write");
  EXPECT_EQ(effects->front().principal.origin, "http");
  EXPECT_EQ(effects->front().label, MakeLabel(Integrity::kUntrusted, "owner"));
}

TEST_F(JournalTest, LastMessagesOldestFirst) {
  ASSERT_OK(Arrive("a"));
  ASSERT_OK(Arrive("b"));
  for (std::int64_t seq = 2; seq <= 9; ++seq) {
    Entry entry;
    entry.messages = {Message("a", seq, "", "m" + std::to_string(seq))};
    ASSERT_OK(Run(journal_->Append(entry)));
  }
  const auto last = Run(journal_->LoadMessages(SessionId("ses_a"), 3));
  ASSERT_OK(last);
  std::vector<std::string> contents;
  for (const auto& message : *last) contents.push_back(message.content);
  EXPECT_THAT(contents, ElementsAre("m7", "m8", "m9"));
  EXPECT_THAT(*Run(journal_->LoadMessages(SessionId("ses_b"), 100)), SizeIs(1));
  EXPECT_EQ(Run(journal_->LoadSession(SessionId("ses_a")))->message_count, 9);
}

TEST_F(JournalTest, SessionIsFoundByPrincipalAndKey) {
  ASSERT_OK(Arrive("a"));
  Principal owner;
  owner.origin = "another edge";  // the same person
  const auto found = Run(journal_->FindSession(owner, "a"));
  ASSERT_OK(found);
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->id, SessionId("ses_a"));
  EXPECT_EQ((*found)->title, "about a");
  EXPECT_EQ((*found)->message_count, 1);
  owner.user = "guest";
  EXPECT_FALSE(Run(journal_->FindSession(owner, "a"))->has_value());
}

TEST_F(JournalTest, SessionsAreListedByLastUse) {
  for (const std::string name : {"a", "b", "c"}) {
    clock_.now += std::chrono::seconds(1);
    ASSERT_OK(Arrive(name));
  }
  clock_.now += std::chrono::seconds(1);
  Entry entry;
  entry.messages = {Message("a", 2, "a", "later")};
  ASSERT_OK(Run(journal_->Append(entry)));
  const auto listed = Run(journal_->ListSessions(Principal(), 2));
  ASSERT_OK(listed);
  ASSERT_THAT(*listed, SizeIs(2));
  EXPECT_EQ((*listed)[0].key, "a");
  EXPECT_EQ((*listed)[0].updated_at, clock_.now);
  EXPECT_EQ((*listed)[1].key, "c");
  Principal guest;
  guest.user = "guest";
  EXPECT_THAT(*Run(journal_->ListSessions(guest, 10)), IsEmpty());
}

TEST_F(JournalTest, UpdateSession) {
  ASSERT_OK(Arrive("a"));
  SessionRecord session = Session("a");
  session.model = "openai/gpt";
  session.settings = R"({"x":1})";
  ASSERT_OK(Run(journal_->UpdateSession(session)));
  EXPECT_EQ(Run(journal_->LoadSession(session.id))->model, "openai/gpt");
  session.id = SessionId("ses_none");
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->UpdateSession(session))));
}

TEST_F(JournalTest, DeletedSessionLeavesNothingOfItselfAndAllOfOthers) {
  for (const std::string name : {"a", "b"}) {
    ASSERT_OK(Arrive(name));
    Entry entry;
    entry.effects = {Effect(name, "k" + name)};
    entry.outbox = {Outbox(name, "caller")};
    entry.artifacts = {{ArtifactId("art_" + name),
                        SessionId("ses_" + name),
                        TurnId("turn_" + name),
                        "text/plain",
                        "content",
                        {},
                        {}}};
    ASSERT_OK(Run(journal_->Append(entry)));
  }
  ASSERT_OK(Run(journal_->DeleteSession(SessionId("ses_a"))));
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadSession(SessionId("ses_a"))).status()));
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadTurn(TurnId("turn_a"))).status()));
  for (const std::string table :
       {"events", "turns", "sessions", "messages", "steps", "effects", "artifacts", "outbox"}) {
    EXPECT_EQ(CountRows(table), 1) << table;
  }
  EXPECT_THAT(*Run(journal_->PendingOutbox("caller")), SizeIs(1));
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->DeleteSession(SessionId("ses_a")))));
}

TEST_F(JournalTest, ArtifactIsReadInPiecesByItsOwnSession) {
  ASSERT_OK(Arrive("a"));
  ASSERT_OK(Arrive("b"));
  std::string content(100'000, 'x');
  content[70'000] = '\0';
  Entry entry;
  entry.artifacts = {
      {ArtifactId("art_1"), SessionId("ses_a"), TurnId("turn_a"), "text/plain", content, {}, {}}};
  ASSERT_OK(Run(journal_->Append(entry)));
  std::int64_t total = 0;
  const auto read = [&](const std::string& session, std::int64_t offset, std::int64_t limit) {
    return Run(journal_->ReadArtifact(SessionId("ses_" + session), ArtifactId("art_1"), offset,
                                      limit, &total));
  };
  EXPECT_EQ(*read("a", 69'990, 20), content.substr(69'990, 20));
  EXPECT_EQ(total, 100'000);
  EXPECT_EQ(*read("a", 99'999, 20), "x");
  EXPECT_EQ(*read("a", 100'000, 20), "");
  EXPECT_TRUE(absl::IsNotFound(read("b", 0, 20).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(read("a", -1, 20).status()));
}

TEST_F(JournalTest, SnapshotIsStoredOnce) {
  ASSERT_OK(Arrive("a"));
  std::string prompt;
  for (int i = 0; i < 500; ++i) prompt += "rule " + std::to_string(i) + ": be kind\n";
  for (std::int64_t seq = 2; seq <= 4; ++seq) {
    Entry entry;
    entry.steps = {Step("a", seq, StepKind::kModelStarted)};
    entry.snapshots = {{"hash1", prompt}, {"hash2", "short"}};
    ASSERT_OK(Run(journal_->Append(entry)));
    if (seq == 3) Reopen();
  }
  EXPECT_EQ(CountRows("prompt_snapshots"), 2);
  EXPECT_EQ(*Run(journal_->LoadSnapshot("hash1")), prompt);
  EXPECT_EQ(*Run(journal_->LoadSnapshot("hash2")), "short");
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadSnapshot("hash3")).status()));
}

TEST_F(JournalTest, APromptGoesWithTheLastSessionThatWasSentIt) {
  const auto send = [this](const std::string& turn, std::int64_t seq, const std::string& hash) {
    Entry entry;
    entry.steps = {Step(turn, seq, StepKind::kModelStarted)};
    entry.snapshots = {{hash, "prompt of " + hash}};
    ASSERT_OK(Run(journal_->Append(entry)));
  };
  ASSERT_OK(Arrive("a"));
  ASSERT_OK(Arrive("b"));
  send("a", 2, "own");
  send("a", 3, "shared");
  send("b", 2, "shared");
  Reopen();
  ASSERT_OK(Run(journal_->DeleteSession(SessionId("ses_a"))));
  EXPECT_TRUE(absl::IsNotFound(Run(journal_->LoadSnapshot("own")).status()));
  ASSERT_OK(Run(journal_->LoadSnapshot("shared")));
  // It was known to be stored: now it must be stored anew.
  send("b", 3, "own");
  ASSERT_OK(Run(journal_->LoadSnapshot("own")));
  ASSERT_OK(Run(journal_->DeleteSession(SessionId("ses_b"))));
  EXPECT_EQ(CountRows("prompt_snapshots"), 0);
  EXPECT_EQ(CountRows("prompt_uses"), 0);
}

TEST_F(JournalTest, OutboxIsPendingUntilDelivered) {
  ASSERT_OK(Arrive("a"));
  Entry entry;
  entry.outbox = {Outbox("a", "channel:x")};
  ASSERT_OK(Run(journal_->Append(entry)));
  Reopen();
  const auto pending = Run(journal_->PendingOutbox("channel:x"));
  ASSERT_OK(pending);
  ASSERT_THAT(*pending, SizeIs(1));
  EXPECT_EQ(pending->front().payload, R"({"text":"done"})");
  EXPECT_EQ(pending->front().session, SessionId("ses_a"));
  EXPECT_EQ(pending->front().label, MakeLabel(Integrity::kUntrusted, "owner,guest"));
  EXPECT_THAT(*Run(journal_->PendingOutbox("channel:y")), IsEmpty());
  journal_->MarkDelivered(TurnId("turn_a"));
  Entry later;
  later.steps = {Step("a", 2, StepKind::kDelivered)};
  journal_->AppendLater(later);
  Reopen();
  EXPECT_THAT(*Run(journal_->PendingOutbox("channel:x")), IsEmpty());
  EXPECT_THAT(*Run(journal_->LoadSteps(TurnId("turn_a"))), SizeIs(2));
  EXPECT_FALSE(*Run(journal_->CountDelivery(TurnId("turn_a"), 9))) << "it is out";
}

TEST_F(JournalTest, DeliveriesAreCountedOverRestartsAndThenItIsADeadLetter) {
  ASSERT_OK(Arrive("a"));
  Entry entry;
  entry.outbox = {Outbox("a", "channel:x")};
  ASSERT_OK(Run(journal_->Append(entry)));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(*Run(journal_->CountDelivery(TurnId("turn_a"), 2)));
    Reopen();
    EXPECT_EQ(Run(journal_->PendingOutbox("channel:x"))->front().attempts, i + 1);
  }
  EXPECT_FALSE(*Run(journal_->CountDelivery(TurnId("turn_a"), 2)));
  EXPECT_THAT(*Run(journal_->PendingOutbox("channel:x")), IsEmpty());
  EXPECT_EQ(CountRows("outbox WHERE state = 'dead'"), 1);
}

TEST_F(JournalTest, SessionsWithoutAKeyAreTheOnesNamedByTheirId) {
  clock_.now += std::chrono::seconds(1);
  ASSERT_OK(Arrive("a"));
  clock_.now += std::chrono::seconds(1);
  Entry entry;
  SessionRecord unnamed;
  unnamed.id = SessionId("ses_u");
  unnamed.key = "ses_u";
  entry.new_sessions = {unnamed};
  ASSERT_OK(Run(journal_->Append(entry)));
  const auto found = Run(journal_->UnnamedSessions(10));
  ASSERT_OK(found);
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->front().session, SessionId("ses_u"));
  EXPECT_EQ(found->front().used_at, clock_.now);
  EXPECT_THAT(*Run(journal_->ListSessions({}, 10, Sessions::kNamed)), SizeIs(1));
  EXPECT_THAT(*Run(journal_->ListSessions({}, 10)), SizeIs(2));
  ASSERT_OK(Run(journal_->DeleteSessions({SessionId("ses_u"), SessionId("ses_none")})));
  EXPECT_THAT(*Run(journal_->UnnamedSessions(10)), IsEmpty());
  EXPECT_EQ(CountRows("sessions"), 1);
}

}  // namespace
}  // namespace talon::journal
