// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/store_conformance.h"

#include <gmock/gmock.h>

#include <limits>
#include <utility>

#include "base/status.h"
#include "io/nursery.h"

namespace talon::store {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kPrincipal = 7;

Write InsertPrincipal(std::int64_t number, const std::string& user) {
  return {"insert_principal",
          {number, std::string("t"), user, std::string("a"), std::string("cli")},
          /*expect_change=*/true};
}

Write InsertMessage(const std::string& session, std::int64_t seq, const std::string& content) {
  return {"insert_message",
          {session, seq, std::monostate(), std::string("user"), content, kPrincipal,
           std::int64_t{1}, std::string(), std::int64_t{1000 + seq}},
          /*expect_change=*/true};
}

io::Task<void> CommitInto(Store* store, Batch batch, absl::Status* outcome) {
  *outcome = co_await store->Commit(std::move(batch));
}

io::Task<bool> CommitEach(io::Loop* loop, Store* store, std::vector<Batch> batches,
                          std::vector<absl::Status>* outcomes) {
  io::Nursery nursery(*loop);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    nursery.Spawn(CommitInto(store, std::move(batches[i]), &(*outcomes)[i]));
  }
  co_await nursery.Join();
  co_return true;
}

io::Task<void> ReadInto(Store* store, std::string id, absl::StatusOr<Rows>* outcome) {
  std::vector<Value> params{id};
  *outcome = co_await store->Read("load_session", std::move(params));
}

io::Task<bool> ReadEach(io::Loop* loop, Store* store, std::string id,
                        std::vector<absl::StatusOr<Rows>>* outcomes) {
  io::Nursery nursery(*loop);
  for (auto& outcome : *outcomes) nursery.Spawn(ReadInto(store, id, &outcome));
  co_await nursery.Join();
  co_return true;
}

}  // namespace

Write InsertSession(const std::string& id) {
  const std::string none;
  return {"insert_session",
          {id, id, std::string("t"), std::string("u"), std::string("a"), std::string("cli"), none,
           none, none, std::int64_t{1}, std::int64_t{1}}};
}

void StoreConformance::Open(const StoreOptions& options) {
  auto store = GetParam().open(loop_, folder_.path(), options);
  ASSERT_TRUE(store.ok()) << StatusText(store.status());
  store_ = *std::move(store);
}

absl::Status StoreConformance::Commit(Batch batch) {
  return loop_.RunUntilDone(store_->Commit(std::move(batch)));
}

std::vector<absl::Status> StoreConformance::CommitAll(std::vector<Batch> batches) {
  std::vector<absl::Status> outcomes(batches.size());
  loop_.RunUntilDone(CommitEach(&loop_, store_.get(), std::move(batches), &outcomes));
  return outcomes;
}

absl::StatusOr<Rows> StoreConformance::Read(std::string_view statement, std::vector<Value> params) {
  return loop_.RunUntilDone(store_->Read(statement, std::move(params)));
}

bool StoreConformance::HasSession(const std::string& id) {
  const auto rows = Read("load_session", {id});
  EXPECT_TRUE(rows.ok()) << StatusText(rows.status());
  return rows.ok() && rows->size() == 1;
}

TEST_P(StoreConformance, CommittedBatchIsReadBack) {
  Open();
  ASSERT_TRUE(Commit({InsertSession("ses_1"), InsertSession("ses_2")}).ok());
  EXPECT_TRUE(HasSession("ses_1"));
  EXPECT_TRUE(HasSession("ses_2"));
  EXPECT_FALSE(HasSession("ses_3"));
  EXPECT_EQ(store_->stats().batches, 1u);
}

TEST_P(StoreConformance, EmptyBatchSucceeds) {
  Open();
  EXPECT_TRUE(Commit({}).ok());
}

TEST_P(StoreConformance, ValuesKeepTypeAndBytes) {
  Open();
  const std::string text = "z\xc3\xbcrich \xf0\x9f\xa6\x85 it's \"quoted\"";
  const std::string bytes("\0\xff\x80 a\0b", 7);
  ASSERT_TRUE(Commit({InsertPrincipal(kPrincipal, "u"),
                      InsertSession("ses_1"),
                      InsertMessage("ses_1", 1, text),
                      {"insert_artifact",
                       {std::string("ses_1"), std::string("art_1"), std::monostate(),
                        std::string("application/octet-stream"), Blob{bytes}, kPrincipal,
                        std::int64_t{3}, std::string("u,v")},
                       true},
                      {"update_session",
                       {std::string("ses_1"), std::string(), std::string(), std::string(),
                        std::numeric_limits<std::int64_t>::max()}}})
                  .ok());
  const auto messages = Read("load_messages", {std::string("ses_1"), std::int64_t{10}});
  ASSERT_TRUE(messages.ok() && messages->size() == 1) << StatusText(messages.status());
  EXPECT_EQ(messages->front().Text(3), text);
  EXPECT_EQ(messages->front().Text(1), "");  // no turn
  const auto artifact = Read("read_artifact", {std::string("ses_1"), std::string("art_1"),
                                               std::int64_t{1}, std::int64_t{100}});
  ASSERT_TRUE(artifact.ok() && artifact->size() == 1) << StatusText(artifact.status());
  EXPECT_EQ(artifact->front().Int(0), 7);
  EXPECT_EQ(artifact->front().Text(1), bytes.substr(1));
  const auto session = Read("load_session", {std::string("ses_1")});
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(session->front().Int(10), std::numeric_limits<std::int64_t>::max());
}

TEST_P(StoreConformance, BatchIsAllOrNothing) {
  Open();
  ASSERT_TRUE(Commit({InsertSession("ses_1")}).ok());
  const absl::Status status = Commit({InsertSession("ses_2"), InsertSession("ses_1")});
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << StatusText(status);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kDuplicate);
  EXPECT_FALSE(HasSession("ses_2"));
  EXPECT_TRUE(Commit({InsertSession("ses_2")}).ok());
}

TEST_P(StoreConformance, StatementThatMustChangeAndDoesNotRefusesTheBatch) {
  Open();
  ASSERT_TRUE(Commit({InsertPrincipal(kPrincipal, "u")}).ok());
  // The same again is fine; another principal under the same number is not.
  EXPECT_TRUE(Commit({InsertPrincipal(kPrincipal, "u")}).ok());
  const absl::Status status = Commit({InsertSession("ses_1"), InsertPrincipal(kPrincipal, "v")});
  EXPECT_EQ(ReasonOf(status), ErrorReason::kDuplicate) << StatusText(status);
  EXPECT_THAT(Message(status), HasSubstr("insert_principal"));
  EXPECT_FALSE(HasSession("ses_1"));
}

TEST_P(StoreConformance, RowThatRefersToNothingIsRefused) {
  Open();
  ASSERT_TRUE(Commit({InsertSession("ses_1")}).ok());
  const absl::Status no_principal = Commit({InsertMessage("ses_1", 1, "hello")});
  EXPECT_TRUE(absl::IsFailedPrecondition(no_principal)) << StatusText(no_principal);
  ASSERT_TRUE(Commit({InsertPrincipal(kPrincipal, "u")}).ok());
  EXPECT_TRUE(Commit({InsertMessage("ses_1", 1, "hello")}).ok());
  EXPECT_FALSE(Commit({InsertMessage("ses_9", 1, "hello")}).ok());
}

TEST_P(StoreConformance, RefusedBatchDoesNotHurtItsGroup) {
  Open();
  ASSERT_TRUE(Commit({InsertSession("taken")}).ok());
  std::vector<Batch> batches;
  for (int i = 0; i < 60; ++i) {
    Batch batch{InsertSession("ses_" + std::to_string(i))};
    if (i % 3 == 0) batch.push_back(InsertSession("taken"));
    batches.push_back(std::move(batch));
  }
  const auto outcomes = CommitAll(std::move(batches));
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].ok(), i % 3 != 0) << i;
    EXPECT_EQ(HasSession("ses_" + std::to_string(i)), i % 3 != 0) << i;
  }
  EXPECT_EQ(store_->stats().refused, 20u);
}

TEST_P(StoreConformance, WaitingBatchesShareATransaction) {
  Open();
  std::vector<Batch> batches;
  for (int i = 0; i < 200; ++i) batches.push_back({InsertSession("ses_" + std::to_string(i))});
  for (const absl::Status& outcome : CommitAll(std::move(batches))) {
    EXPECT_TRUE(outcome.ok()) << StatusText(outcome);
  }
  EXPECT_EQ(store_->stats().batches, 200u);
  EXPECT_LT(store_->stats().commits, 200u);
}

TEST_P(StoreConformance, SameKeyInOneGroupHasOneWinner) {
  Open();
  std::vector<Batch> batches(8, Batch{InsertSession("ses_1")});
  const auto outcomes = CommitAll(std::move(batches));
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& s) { return s.ok(); }), 1);
}

TEST_P(StoreConformance, BatchesKeepTheirOrder) {
  Open();
  ASSERT_TRUE(Commit({InsertPrincipal(kPrincipal, "u"), InsertSession("ses_1")}).ok());
  for (int i = 1; i <= 20; ++i) store_->CommitLater({InsertMessage("ses_1", i, "m")});
  ASSERT_TRUE(Commit({InsertSession("ses_2")}).ok());
  const auto messages = Read("load_messages", {std::string("ses_1"), std::int64_t{5}});
  ASSERT_TRUE(messages.ok() && messages->size() == 5);
  EXPECT_EQ(messages->front().Int(0), 16);
  EXPECT_EQ(messages->back().Int(0), 20);
}

TEST_P(StoreConformance, BatchesNobodyWaitsForShareTheNextCommit) {
  Open({.later_delay = std::chrono::hours(1)});
  const std::uint64_t before = store_->stats().commits;
  store_->CommitLater({InsertSession("ses_1")});
  store_->CommitLater({InsertSession("ses_2")});
  ASSERT_TRUE(Commit({InsertSession("ses_3")}).ok());
  EXPECT_EQ(store_->stats().commits, before + 1);
  EXPECT_TRUE(HasSession("ses_1") && HasSession("ses_2"));
}

TEST_P(StoreConformance, WrongUseIsAnErrorAndLeavesTheStoreUsable) {
  Open();
  EXPECT_TRUE(absl::IsInternal(Commit({{"no_such_statement", {}}})));
  EXPECT_TRUE(absl::IsInternal(Commit({{"insert_session", {std::int64_t{1}}}})));
  EXPECT_TRUE(absl::IsInternal(Read("no_such_statement", {}).status()));
  EXPECT_FALSE(Read("delete_session", {std::string("ses_1")}).ok());  // readers only read
  EXPECT_TRUE(Commit({InsertSession("ses_1")}).ok());
  EXPECT_TRUE(HasSession("ses_1"));
}

TEST_P(StoreConformance, ManyReadsAtOnce) {
  Open();
  ASSERT_TRUE(Commit({InsertSession("ses_1")}).ok());
  std::vector<absl::StatusOr<Rows>> outcomes(100, absl::UnknownError("not run"));
  loop_.RunUntilDone(ReadEach(&loop_, store_.get(), "ses_1", &outcomes));
  for (const auto& outcome : outcomes) EXPECT_TRUE(outcome.ok() && outcome->size() == 1);
}

TEST_P(StoreConformance, FullQueueRefuses) {
  Open({.max_queued_batches = 4});
  std::vector<Batch> batches;
  for (int i = 0; i < 500; ++i) batches.push_back({InsertSession("ses_" + std::to_string(i))});
  int refused = 0;
  for (const absl::Status& outcome : CommitAll(std::move(batches))) {
    if (outcome.ok()) continue;
    ++refused;
    EXPECT_TRUE(absl::IsResourceExhausted(outcome)) << StatusText(outcome);
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 500);
}

TEST_P(StoreConformance, ClosedStoreRefusesAndReopenedStoreHasEverything) {
  Open();
  store_->CommitLater({InsertSession("ses_1")});
  store_->Close();
  store_->Close();
  EXPECT_TRUE(absl::IsUnavailable(Commit({InsertSession("ses_2")})));
  EXPECT_TRUE(absl::IsUnavailable(Read("load_session", {std::string("ses_1")}).status()));
  store_.reset();
  Open();
  EXPECT_TRUE(HasSession("ses_1"));
  EXPECT_FALSE(HasSession("ses_2"));
}

TEST_P(StoreConformance, SecondStoreOnOneFolderIsRefused) {
  Open();
  const auto second = GetParam().open(loop_, folder_.path(), {});
  EXPECT_EQ(ReasonOf(second.status()), ErrorReason::kAlreadyRunning);
  store_.reset();
  EXPECT_TRUE(GetParam().open(loop_, folder_.path(), {}).ok());
}

}  // namespace talon::store
