// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrate.h"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <string>

#include "base/digest.h"
#include "base/status.h"

namespace talon::store {
namespace {

absl::Status Apply(Connection& connection, const Migration& migration) {
  const std::int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  const std::array<Value, 4> record{migration.number, std::string(migration.name),
                                    Sha256Hex(migration.script), now};
  absl::Status status = connection.Execute("begin").status();
  if (status.ok()) status = connection.RunScript(migration.name, migration.script);
  if (status.ok()) status = connection.Execute("insert_schema_migration", record).status();
  if (status.ok()) status = connection.Execute("commit").status();
  // The first error is the one to report; a failing rollback adds nothing.
  if (!status.ok() && connection.InTransaction()) connection.Execute("rollback").IgnoreError();
  return status.ok() ? status : Annotate(status, "store: migrate");
}

}  // namespace

absl::Status Migrate(Connection& connection, std::span<const Migration> migrations) {
  TALON_RETURN_IF_ERROR(connection.Execute("create_schema_migrations").status());
  TALON_ASSIGN_OR_RETURN(const Rows applied, connection.Query("list_schema_migrations"));
  for (std::size_t i = 0; i < applied.size(); ++i) {
    const Row& row = applied[i];
    if (i >= migrations.size()) {
      return FailedPrecondition(fmt::format(
          "store: migrate: the database was written by a newer version of talon (it has migration "
          "'{}', this program ends at {:04}); install that version or restore a backup",
          row.Text(1), migrations.size()));
    }
    if (row.Int(0) != migrations[i].number || row.Text(2) != Sha256Hex(migrations[i].script)) {
      return FailedPrecondition(fmt::format(
          "store: migrate: the database was made with another text of migration '{}' than this "
          "program has ('{}'); it belongs to a different build of talon",
          row.Text(1), migrations[i].name));
    }
  }
  for (const Migration& migration : migrations.subspan(applied.size())) {
    TALON_RETURN_IF_ERROR(Apply(connection, migration));
  }
  return absl::OkStatus();
}

}  // namespace talon::store
