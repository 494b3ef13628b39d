// SPDX-License-Identifier: Apache-2.0
// The SQL this room was built with: named statements from sqlite/*.sql and the numbered scripts of
// sqlite/migrations. Views of embedded text, valid for ever. Any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::store {

using StatementMap = std::unordered_map<std::string_view, std::string_view>;

// Adds the statements of one file: each `-- name: insert_event` line begins a statement that ends
// at the next one; what stands before the first is comment. Internal when a name is empty, used
// twice or has no statement.
absl::Status ParseStatements(std::string_view file, std::string_view text, StatementMap& out);

// Every named statement of the driver.
absl::StatusOr<StatementMap> LoadStatements();

struct Migration {
  std::int64_t number = 0;
  std::string_view name;  // the file's
  std::string_view script;
};

// In order, numbered from 1 without gaps (else Internal).
absl::StatusOr<std::vector<Migration>> LoadMigrations();

}  // namespace talon::store
