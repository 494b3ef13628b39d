// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/sql_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace talon::store {

// Made by talon_embed.
std::span<const std::pair<std::string_view, std::string_view>> EmbeddedFiles();

namespace {

constexpr std::string_view kNameLine = "-- name:";

// The number a migration's file name begins with, or 0: "0001_journal.sql" is 1.
std::int64_t MigrationNumber(std::string_view name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool numbered = error == std::errc() && end - name.data() == 4 && *end == '_';
  return numbered ? number : 0;
}

}  // namespace

absl::Status ParseStatements(std::string_view file, std::string_view text, StatementMap& out) {
  std::size_t header = text.find(kNameLine);
  while (header != std::string_view::npos) {
    const std::size_t line_end = std::min(text.find('\n', header), text.size());
    const std::size_t next = text.find(kNameLine, line_end);
    const std::size_t name_begin = header + kNameLine.size();
    const std::string_view name = TrimSpace(text.substr(name_begin, line_end - name_begin));
    const std::string_view sql =
        TrimSpace(text.substr(line_end, std::min(next, text.size()) - line_end));
    if (name.empty() || sql.find(';') == std::string_view::npos) {
      return Internal(fmt::format("statement file {}: '{}' has no statement", file, name));
    }
    if (!out.emplace(name, sql).second) {
      return Internal(fmt::format("statement file {}: the name '{}' is used twice", file, name));
    }
    header = next;
  }
  return absl::OkStatus();
}

absl::StatusOr<StatementMap> LoadStatements() {
  StatementMap statements;
  for (const auto& [name, text] : EmbeddedFiles()) {
    if (MigrationNumber(name) != 0) continue;
    TALON_RETURN_IF_ERROR(ParseStatements(name, text, statements));
  }
  return statements;
}

absl::StatusOr<std::vector<Migration>> LoadMigrations() {
  std::vector<Migration> migrations;
  for (const auto& [name, text] : EmbeddedFiles()) {
    if (const std::int64_t number = MigrationNumber(name); number != 0) {
      migrations.push_back({number, name, text});
    }
  }
  std::ranges::sort(migrations, {}, &Migration::number);
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    if (migrations[i].number == static_cast<std::int64_t>(i) + 1) continue;
    return Internal(fmt::format("migration {}: expected number {:04}", migrations[i].name, i + 1));
  }
  return migrations;
}

}  // namespace talon::store
