// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/connection.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "store/sqlite/sqlite_error.h"

namespace talon::store {
namespace {

// The parameters live until the statement was stepped to its end, so SQLite need not copy them.
int Bind(sqlite3_stmt* statement, int index, const Value& value) {
  struct Binder {
    sqlite3_stmt* statement;
    int index;
    int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t v) const { return sqlite3_bind_int64(statement, index, v); }
    int operator()(double v) const { return sqlite3_bind_double(statement, index, v); }
    int operator()(const std::string& v) const {
      return sqlite3_bind_text64(statement, index, v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(const Blob& v) const {
      return sqlite3_bind_blob64(statement, index, v.bytes.data(), v.bytes.size(), SQLITE_STATIC);
    }
  };
  return std::visit(Binder{statement, index}, value);
}

Value Column(sqlite3_stmt* statement, int index) {
  const auto bytes = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
  };
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_TEXT:
      return bytes(sqlite3_column_text(statement, index));
    case SQLITE_BLOB:
      return Blob{bytes(sqlite3_column_blob(statement, index))};
    default:
      return std::monostate();
  }
}

// Leaves a cached statement ready for its next use, whatever happened.
struct Resetter {
  sqlite3_stmt* statement;
  explicit Resetter(sqlite3_stmt* s) : statement(s) {}
  Resetter(const Resetter&) = delete;
  Resetter& operator=(const Resetter&) = delete;
  ~Resetter() { sqlite3_reset(statement); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, Access access,
                                                             const StoreOptions& options,
                                                             const StatementMap& statements) {
  std::unique_ptr<Connection> connection(new Connection(path, statements));
  const int flags =
      access == Access::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int opened = sqlite3_open_v2(path.c_str(), &connection->db_,
                                     flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (opened != SQLITE_OK) return connection->Error(opened, "open");
  TALON_RETURN_IF_ERROR(connection->Configure(access, options));
  return connection;
}

Connection::~Connection() {
  for (const auto& [name, statement] : prepared_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

absl::Status Connection::Configure(Access access, const StoreOptions& options) {
  busy_timeout_ms_ = static_cast<int>(options.busy_timeout.count());
  const std::string busy = std::to_string(busy_timeout_ms_);
  TALON_RETURN_IF_ERROR(SetPragma("busy_timeout", busy, busy));
  const std::string cache = fmt::format("-{}", options.page_cache.value >> 10);
  TALON_RETURN_IF_ERROR(SetPragma("cache_size", cache, cache));
  if (access == Access::kRead) return SetPragma("query_only", "", "1");
  TALON_RETURN_IF_ERROR(SetPragma("journal_mode", "", "wal"));
  const bool power = options.durability == Durability::kPower;
  TALON_RETURN_IF_ERROR(SetPragma("synchronous", power ? "FULL" : "NORMAL", power ? "2" : "1"));
  TALON_RETURN_IF_ERROR(SetPragma("foreign_keys", "", "1"));
  TALON_RETURN_IF_ERROR(SetPragma("wal_autocheckpoint", "", "0"));
  const std::string log_limit = std::to_string(options.max_log.value);
  TALON_RETURN_IF_ERROR(SetPragma("journal_size_limit", log_limit, log_limit));
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Connection*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return absl::OkStatus();
}

absl::Status Connection::SetPragma(std::string_view pragma, std::string_view value,
                                   std::string_view expected) {
  const absl::StatusOr<std::string> set = RunPragma(fmt::format("set_{}", pragma), value);
  if (!set.ok()) return set.status();
  TALON_ASSIGN_OR_RETURN(const std::string found, RunPragma(fmt::format("get_{}", pragma), ""));
  if (found == expected) return absl::OkStatus();
  return FailedPrecondition(
      fmt::format("store '{}': setting {} to {} had no effect, it is '{}'; the file system may not "
                  "support what the store needs (use a local one)",
                  path_, pragma, expected, found));
}

absl::StatusOr<std::string> Connection::RunPragma(std::string_view statement,
                                                  std::string_view value) {
  const auto found = statements_.find(statement);
  if (found == statements_.end()) {
    return Internal(fmt::format("store '{}': no statement is named '{}'", path_, statement));
  }
  std::string sql(found->second);
  constexpr std::string_view kPlace = "{value}";
  if (const std::size_t place = sql.find(kPlace); place != std::string::npos) {
    sql.replace(place, kPlace.size(), value);
  }
  sqlite3_stmt* prepared = nullptr;
  int code = sqlite3_prepare_v3(db_, sql.c_str(), -1, 0, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owner(prepared, sqlite3_finalize);
  if (code != SQLITE_OK) return Error(code, statement);
  std::string result;
  while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, 0));
    result = text == nullptr ? "" : text;
  }
  if (code != SQLITE_DONE) return Error(code, statement);
  return result;
}

absl::StatusOr<sqlite3_stmt*> Connection::Prepared(std::string_view statement) {
  const auto cached = prepared_.find(statement);
  if (cached != prepared_.end()) return cached->second;
  const auto found = statements_.find(statement);
  if (found == statements_.end()) {
    return Internal(fmt::format("store '{}': no statement is named '{}'", path_, statement));
  }
  const auto& [name, sql] = *found;
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return Error(code, statement);
  prepared_.emplace(name, prepared);
  return prepared;
}

absl::StatusOr<sqlite3_stmt*> Connection::PrepareBound(std::string_view statement,
                                                       std::span<const Value> params) {
  TALON_ASSIGN_OR_RETURN(sqlite3_stmt* const prepared, Prepared(statement));
  const int wanted = sqlite3_bind_parameter_count(prepared);
  if (wanted != static_cast<int>(params.size())) {
    return Internal(fmt::format("store '{}': {}: takes {} parameters, {} given", path_, statement,
                                wanted, params.size()));
  }
  for (int i = 0; i < wanted; ++i) {
    const int code = Bind(prepared, i + 1, params[static_cast<std::size_t>(i)]);
    if (code != SQLITE_OK) return Error(code, statement);
  }
  return prepared;
}

absl::StatusOr<std::int64_t> Connection::Execute(std::string_view statement,
                                                 std::span<const Value> params) {
  TALON_ASSIGN_OR_RETURN(sqlite3_stmt* const prepared, PrepareBound(statement, params));
  const Resetter reset(prepared);
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(prepared);
  if (code != SQLITE_DONE) return Error(code, statement);
  return std::int64_t{sqlite3_changes64(db_)};
}

absl::StatusOr<Rows> Connection::Query(std::string_view statement, std::span<const Value> params) {
  TALON_ASSIGN_OR_RETURN(sqlite3_stmt* const prepared, PrepareBound(statement, params));
  const Resetter reset(prepared);
  Rows rows;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
    const int count = sqlite3_column_count(prepared);
    std::vector<Value> columns;
    columns.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) columns.push_back(Column(prepared, i));
    rows.emplace_back(std::move(columns));
  }
  if (code != SQLITE_DONE) return Error(code, statement);
  return rows;
}

absl::Status Connection::RunScript(std::string_view what, std::string_view script) {
  const int code = sqlite3_exec(db_, std::string(script).c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, what);
}

void Connection::SetPatient(bool patient) {
  sqlite3_busy_timeout(db_, patient ? busy_timeout_ms_ : 0);
}

bool Connection::InTransaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

absl::Status Connection::Checkpoint() {
  int left = 0;
  int copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &left, &copied);
  if (code != SQLITE_OK) return Error(code, "checkpoint");
  // A log that was copied whole is begun anew by the next commit.
  wal_pages_ = left - copied;
  return absl::OkStatus();
}

// sqlite3_system_errno() tells nothing of a write that a commit failed at; its file does.
int Connection::SystemError(int code) const {
  if (db_ == nullptr || (code & 0xff) == SQLITE_OK) return 0;
  int error = sqlite3_system_errno(db_);
  if (error != 0 || (code & 0xff) != SQLITE_IOERR) return error;
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
      log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  if (error == 0) sqlite3_file_control(db_, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

absl::Status Connection::Error(int code, std::string_view attempt) const {
  const int system_error = SystemError(code);
  const char* text = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  return SqliteError(code, system_error, text, fmt::format("store '{}': {}", path_, attempt));
}

}  // namespace talon::store
