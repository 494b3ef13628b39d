// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace talon::store {
namespace {

using testing::HasSubstr;

class ConnectionTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Connection>> Open(
      const StoreOptions& options = {}, Connection::Access access = Connection::Access::kWrite) {
    return Connection::Open(folder_ / "t.db", access, options, statements_);
  }
  std::string Pragma(Connection& connection, std::string_view name) {
    const auto rows = connection.Query(name);
    return rows.ok() && !rows->empty()
               ? rows->front().Text(0) + std::to_string(rows->front().Int(0))
               : StatusText(rows.status());
  }

  test::TempFolder folder_;
  StatementMap statements_ = *LoadStatements();
};

TEST_F(ConnectionTest, SettingsFollowTheOptions) {
  const auto power = Open();
  ASSERT_TRUE(power.ok()) << StatusText(power.status());
  EXPECT_EQ(Pragma(**power, "get_journal_mode"), "wal0");
  EXPECT_EQ(Pragma(**power, "get_synchronous"), "2");
  EXPECT_EQ(Pragma(**power, "get_foreign_keys"), "1");
  EXPECT_EQ(Pragma(**power, "get_busy_timeout"), "5000");
  EXPECT_EQ(Pragma(**power, "get_cache_size"), "-2048");
  const auto process = Open({.durability = Durability::kProcess});
  ASSERT_TRUE(process.ok()) << StatusText(process.status());
  EXPECT_EQ(Pragma(**process, "get_synchronous"), "1");
}

TEST_F(ConnectionTest, SettingThatDoesNotTakeIsAnError) {
  statements_["get_synchronous"] = "PRAGMA foreign_keys;";
  const auto connection = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(connection.status()));
  EXPECT_THAT(Message(connection.status()), HasSubstr("synchronous"));
}

TEST_F(ConnectionTest, FileThatIsNoDatabaseSaysWhatToDo) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "t.db", std::string(4096, 'x')).ok());
  const auto connection = Open();
  EXPECT_TRUE(absl::IsInternal(connection.status()));
  EXPECT_THAT(Message(connection.status()), HasSubstr("t.db"));
  EXPECT_THAT(Message(connection.status()), HasSubstr("restore a backup"));
}

TEST_F(ConnectionTest, ReaderCannotWrite) {
  const auto writer = Open();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->RunScript("schema", "CREATE TABLE t (a); INSERT INTO t VALUES (1);").ok());
  const auto reader = Open({}, Connection::Access::kRead);
  ASSERT_TRUE(reader.ok()) << StatusText(reader.status());
  EXPECT_EQ(ReasonOf((*reader)->RunScript("write", "INSERT INTO t VALUES (2);")),
            ErrorReason::kReadOnly);
}

TEST_F(ConnectionTest, CheckpointEmptiesTheLog) {
  const auto connection = Open();
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE((*connection)->RunScript("schema", "CREATE TABLE t (a);").ok());
  EXPECT_GT((*connection)->wal_pages(), 0);
  ASSERT_TRUE((*connection)->Checkpoint().ok());
  EXPECT_EQ((*connection)->wal_pages(), 0);
}

}  // namespace
}  // namespace talon::store
