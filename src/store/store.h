// SPDX-License-Identifier: Apache-2.0
// Durable state. One writer commits in groups: every batch that is waiting goes into one
// transaction and one sync, so many sessions share the cost of a disk write. A batch is all or
// nothing. Statements are named; their SQL stands in store/sqlite/*.sql (the same names for every
// driver), so nobody above this room writes SQL. Owned by daemon/. Commit() and Read() from the
// event loop's thread.
//
// Errors: AlreadyExists/kDuplicate (an `expect_change` statement changed nothing, or a key exists),
// FailedPrecondition (a row refers to one that does not exist), ResourceExhausted/kDiskFull,
// PermissionDenied/kReadOnly, ResourceExhausted (queue full), Unavailable (closed), Internal
// (corruption; the text says what to do). After an error nothing of the batch is in the store, and
// the store is as usable as before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/task.h"
#include "store/options.h"

namespace talon::io {
class Loop;
}

namespace talon::store {

// NULL, integer, real, text, bytes.
struct Blob {
  std::string bytes;
};
using Value = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

// One execution of a named statement with its parameters in order.
struct Write {
  std::string_view statement;  // must outlive the commit: use literals
  std::vector<Value> params;
  // The batch fails with kDuplicate when this statement changes no row.
  bool expect_change = false;
  // It may take long, however small its parameters: it is never run on the loop.
  bool many_rows = false;
};
using Batch = std::vector<Write>;

// A row by column position; typed reads that fall back when the column is NULL or of another type.
class Row {
 public:
  explicit Row(std::vector<Value> columns) : columns_(std::move(columns)) {}
  std::string Text(std::size_t column) const;
  std::int64_t Int(std::size_t column) const;
  double Real(std::size_t column) const;
  bool IsNull(std::size_t column) const;
  std::size_t size() const { return columns_.size(); }

 private:
  std::vector<Value> columns_;
};
using Rows = std::vector<Row>;

struct StoreStats {
  std::uint64_t batches = 0;  // batches committed
  std::uint64_t commits = 0;  // transactions, each with at most one sync
  std::uint64_t on_loop = 0;  // transactions that took no hop to another thread
  std::uint64_t refused = 0;  // batches that failed
};

class Store {
 public:
  virtual ~Store() = default;
  // Ends when the batch is durable (as the options say) or refused.
  virtual io::Task<absl::Status> Commit(Batch batch) = 0;
  // Queues the batch without waiting; errors are logged and counted. For records nobody depends on:
  // it goes with the next Commit(), at the latest after `later_delay`.
  virtual void CommitLater(Batch batch) = 0;
  // Runs a named query on a reader; it sees every batch whose Commit() has ended.
  virtual io::Task<absl::StatusOr<Rows>> Read(std::string_view statement,
                                              std::vector<Value> params) = 0;
  virtual StoreStats stats() const = 0;
  // Commits what is queued, checkpoints and closes. Idempotent; blocks; call off the loop or at
  // exit.
  virtual void Close() = 0;
};

// Opens or creates `<folder>/talon.db` and migrates it. Blocks. Fails with AlreadyExists/
// kAlreadyRunning when another process holds the folder (the text names its pid),
// PermissionDenied/kReadOnly for a read-only folder, FailedPrecondition for a database written by a
// newer version.
absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(io::Loop& loop, const std::string& folder,
                                                  const StoreOptions& options);

}  // namespace talon::store
