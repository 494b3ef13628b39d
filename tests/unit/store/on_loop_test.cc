// SPDX-License-Identifier: Apache-2.0
// Durability `process`: commits that do not sync are done on the loop, and only those.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "io/loop.h"
#include "store/store.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/probe_batches.h"

namespace talon::store {
namespace {

namespace fs = std::filesystem;

class StoreOnLoop : public testing::Test {
 protected:
  void Open(StoreOptions options = {}) {
    options.durability = Durability::kProcess;
    auto store = OpenSqlite(loop_, folder_.path(), options);
    ASSERT_TRUE(store.ok()) << StatusText(store.status());
    store_ = *std::move(store);
  }
  absl::Status Commit(int number, std::size_t bytes = 16) {
    return loop_.RunUntilDone(store_->Commit(ProbeBatch(number, bytes)));
  }

  test::TempFolder folder_;
  io::Loop loop_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreOnLoop, ABatchAloneNeedsNoThread) {
  Open();
  for (int i = 1; i <= 20; ++i) ASSERT_TRUE(Commit(i).ok());
  EXPECT_EQ(store_->stats().commits, 20u);
  EXPECT_EQ(store_->stats().on_loop, 20u);
}

TEST_F(StoreOnLoop, WhatSyncsIsTheThreads) {
  auto store = OpenSqlite(loop_, folder_.path(), {});
  ASSERT_TRUE(store.ok()) << StatusText(store.status());
  ASSERT_TRUE(loop_.RunUntilDone((*store)->Commit(ProbeBatch(1))).ok());
  EXPECT_EQ((*store)->stats().on_loop, 0u);
}

TEST_F(StoreOnLoop, WhatTakesLongIsTheThreads) {
  Open();
  ASSERT_TRUE(Commit(1, 1 << 20).ok());
  Batch batch = ProbeBatch(2);
  batch.front().many_rows = true;
  ASSERT_TRUE(loop_.RunUntilDone(store_->Commit(std::move(batch))).ok());
  EXPECT_EQ(store_->stats().commits, 2u);
  EXPECT_EQ(store_->stats().on_loop, 0u);
}

TEST_F(StoreOnLoop, WhatNobodyWaitsForGoesWithIt) {
  Open({.later_delay = std::chrono::hours(1)});
  store_->CommitLater(ProbeBatch(1));
  ASSERT_TRUE(Commit(2).ok());
  EXPECT_EQ(store_->stats().commits, 1u);
  EXPECT_EQ(*ProbeRows(loop_, *store_, 1), kRowsPerBatch);
}

// Another program's transaction ends in a callback of the loop: a loop that waited for it would
// wait until busy_timeout.
TEST_F(StoreOnLoop, TheLoopGoesOnWhileSomebodyElseHoldsTheDatabase) {
  Open();
  ASSERT_TRUE(Commit(1).ok());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "talon.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  loop_.CallAt(soon, [other] { sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr); });
  EXPECT_TRUE(Commit(2).ok());
  EXPECT_GE(std::chrono::steady_clock::now(), soon);
  sqlite3_close(other);
  EXPECT_EQ(store_->stats().on_loop, 1u);
  EXPECT_EQ(*ProbeRows(loop_, *store_, 2), kRowsPerBatch);
}

TEST_F(StoreOnLoop, TheLogIsStillCopied) {
  constexpr std::size_t kLog = 256 << 10;
  Open({.checkpoint_at = Bytes{kLog}, .max_log = Bytes{2 * kLog}});
  for (int i = 1; i <= 300; ++i) ASSERT_TRUE(Commit(i, 4096).ok());
  EXPECT_LT(fs::file_size(folder_ / "talon.db-wal"), 4 * kLog);
  EXPECT_GT(fs::file_size(folder_ / "talon.db"), 300 * 4096u);
  for (const int i : {1, 150, 300}) EXPECT_EQ(*ProbeRows(loop_, *store_, i), kRowsPerBatch);
}

TEST_F(StoreOnLoop, ARefusedBatchLeavesTheStoreUsable) {
  Open();
  ASSERT_TRUE(Commit(1).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Commit(1)));
  EXPECT_TRUE(Commit(2).ok());
  EXPECT_EQ(store_->stats().refused, 1u);
}

}  // namespace
}  // namespace talon::store
