// SPDX-License-Identifier: Apache-2.0
// One SQLite connection with its settings and prepared statements. Used by one thread at a time.
// Errors as store.h lists them, each naming the database file and the statement.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/options.h"
#include "store/sqlite/sql_files.h"
#include "store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace talon::store {

class Connection {
 public:
  enum class Access { kWrite, kRead };

  // Opens `path` (created for kWrite), sets what the options say and checks that it took: SQLite
  // ignores a pragma it cannot honour. `statements` must outlive the connection.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, Access access,
                                                          const StoreOptions& options,
                                                          const StatementMap& statements);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs a named statement to its end; returns the number of rows it changed.
  absl::StatusOr<std::int64_t> Execute(std::string_view statement,
                                       std::span<const Value> params = {});
  absl::StatusOr<Rows> Query(std::string_view statement, std::span<const Value> params = {});
  // Whether the statement exists and fits the schema; it is not run.
  absl::Status Check(std::string_view statement) { return Prepared(statement).status(); }
  // Any number of statements, without parameters. `what` names them in errors.
  absl::Status RunScript(std::string_view what, std::string_view script);

  // Whether a statement waits for another process's lock (busy_timeout) or fails at once.
  void SetPatient(bool patient);
  // False once SQLite has rolled a transaction back by itself, as it does when the disk is full.
  bool InTransaction() const;
  // Pages in the write-ahead log after the last commit.
  std::int64_t wal_pages() const { return wal_pages_; }
  // Copies the log into the database as far as no reader is in the way; never waits for one.
  absl::Status Checkpoint();

 private:
  Connection(std::string path, const StatementMap& statements)
      : path_(std::move(path)), statements_(statements) {}
  absl::Status Configure(Access access, const StoreOptions& options);
  // Runs `set_<pragma>` with `value` for its {value} and compares `get_<pragma>` with `expected`.
  absl::Status SetPragma(std::string_view pragma, std::string_view value,
                         std::string_view expected);
  absl::StatusOr<std::string> RunPragma(std::string_view statement, std::string_view value);
  absl::StatusOr<sqlite3_stmt*> Prepared(std::string_view statement);
  absl::StatusOr<sqlite3_stmt*> PrepareBound(std::string_view statement,
                                             std::span<const Value> params);
  int SystemError(int code) const;
  absl::Status Error(int code, std::string_view attempt) const;

  const std::string path_;
  const StatementMap& statements_;
  sqlite3* db_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> prepared_;
  std::int64_t wal_pages_ = 0;
  int busy_timeout_ms_ = 0;
};

}  // namespace talon::store
