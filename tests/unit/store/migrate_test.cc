// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace talon::store {
namespace {

using testing::HasSubstr;

constexpr Migration kFirst{1, "0001_first.sql", "CREATE TABLE first (a); CREATE TABLE other (b);"};
constexpr Migration kSecond{2, "0002_second.sql", "ALTER TABLE first ADD COLUMN c DEFAULT 5;"};

class MigrateTest : public testing::Test {
 protected:
  MigrateTest()
      : connection_(
            *Connection::Open(folder_ / "t.db", Connection::Access::kWrite, {}, statements_)) {}
  absl::Status Run(std::vector<Migration> migrations) { return Migrate(*connection_, migrations); }
  std::size_t Applied() { return connection_->Query("list_schema_migrations")->size(); }

  test::TempFolder folder_;
  StatementMap statements_ = *LoadStatements();
  std::unique_ptr<Connection> connection_;
};

TEST_F(MigrateTest, AppliesOnceAndInOrder) {
  ASSERT_TRUE(Run({kFirst}).ok());
  ASSERT_TRUE(connection_->RunScript("seed", "INSERT INTO first VALUES (1);").ok());
  ASSERT_TRUE(Run({kFirst, kSecond}).ok());
  ASSERT_TRUE(Run({kFirst, kSecond}).ok());
  EXPECT_EQ(Applied(), 2u);
  EXPECT_TRUE(connection_->RunScript("use", "INSERT INTO first (a, c) VALUES (2, 3);").ok());
}

TEST_F(MigrateTest, FailingMigrationLeavesTheOldSchema) {
  const Migration broken{2, "0002_broken.sql", "CREATE TABLE third (a); CREATE TABLE first (a);"};
  ASSERT_TRUE(Run({kFirst}).ok());
  const absl::Status status = Run({kFirst, broken});
  EXPECT_THAT(Message(status), HasSubstr("0002_broken.sql"));
  EXPECT_EQ(Applied(), 1u);
  EXPECT_FALSE(connection_->RunScript("use", "INSERT INTO third VALUES (1);").ok());
  EXPECT_TRUE(Run({kFirst, kSecond}).ok());
}

TEST_F(MigrateTest, NewerDatabaseIsRefused) {
  ASSERT_TRUE(Run({kFirst, kSecond}).ok());
  const absl::Status status = Run({kFirst});
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("newer version"));
}

TEST_F(MigrateTest, ChangedMigrationIsRefused) {
  ASSERT_TRUE(Run({kFirst}).ok());
  Migration changed = kFirst;
  changed.script = "CREATE TABLE first (z);";
  const absl::Status status = Run({changed});
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("another text of migration '0001_first.sql'"));
}

}  // namespace
}  // namespace talon::store
