// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/sql_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/migrate.h"
#include "tests/support/temp_folder.h"

namespace talon::store {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ParseStatements, SplitsAtNameLines) {
  StatementMap out;
  ASSERT_TRUE(
      ParseStatements("f.sql", "-- intro\n-- name: a\nSELECT 1;\n\n-- name: b \nSELECT\n2;", out)
          .ok());
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out["a"], "SELECT 1;");
  EXPECT_EQ(out["b"], "SELECT\n2;");
}

TEST(ParseStatements, RefusesEmptyAndRepeatedNames) {
  StatementMap out;
  EXPECT_THAT(Message(ParseStatements("f.sql", "-- name: a\n-- name: b\nSELECT 1;", out)),
              HasSubstr("'a' has no statement"));
  out.clear();
  EXPECT_FALSE(ParseStatements("f.sql", "-- name:\nSELECT 1;", out).ok());
  EXPECT_FALSE(ParseStatements("f.sql", "-- name: a", out).ok());
  out.clear();
  EXPECT_THAT(
      Message(ParseStatements("f.sql", "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", out)),
      HasSubstr("used twice"));
}

TEST(LoadMigrations, AreNumberedFromOne) {
  const auto migrations = LoadMigrations();
  ASSERT_TRUE(migrations.ok()) << StatusText(migrations.status());
  ASSERT_FALSE(migrations->empty());
  EXPECT_EQ(migrations->front().number, 1);
  EXPECT_THAT(std::string(migrations->front().name), StartsWith("0001_"));
}

// Every statement must be prepared against the newest schema, not found broken by its first user.
TEST(LoadStatements, EveryStatementFitsTheSchema) {
  const auto statements = LoadStatements();
  ASSERT_TRUE(statements.ok()) << StatusText(statements.status());
  const test::TempFolder folder;
  auto connection = Connection::Open(folder / "t.db", Connection::Access::kWrite, {}, *statements);
  ASSERT_TRUE(connection.ok()) << StatusText(connection.status());
  ASSERT_TRUE(Migrate(**connection, *LoadMigrations()).ok());
  for (const auto& [name, sql] : *statements) {
    if (sql.find("{value}") != std::string_view::npos) continue;
    EXPECT_TRUE((*connection)->Check(name).ok()) << name;
  }
}

}  // namespace
}  // namespace talon::store
