// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/sqlite_error.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/status.h"

namespace talon::store {
namespace {

bool IsNoSpace(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG;
}
bool IsReadOnly(int error) {
  return error == EROFS || error == EACCES || error == EPERM;
}

}  // namespace

absl::Status SqliteError(int code, int system_error, std::string_view text,
                         std::string_view attempt) {
  const int primary = code & 0xff;
  const bool io = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  std::string message = fmt::format("{}: {}", attempt, text);
  if (io && system_error != 0) message += fmt::format(" ({})", std::strerror(system_error));
  if (primary == SQLITE_FULL || (io && IsNoSpace(system_error))) {
    return MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kDiskFull,
                     message + "; free some space, then try again");
  }
  if (primary == SQLITE_READONLY || primary == SQLITE_PERM || (io && IsReadOnly(system_error))) {
    return MakeError(absl::StatusCode::kPermissionDenied, ErrorReason::kReadOnly,
                     message + "; make the folder writable for this user");
  }
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
    return Internal(message +
                    "; the database is damaged: restore a backup, or move the file and its -wal "
                    "and -shm away to start anew (`sqlite3 FILE .recover` may save its content)");
  }
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
      code == SQLITE_CONSTRAINT_ROWID) {
    return MakeError(absl::StatusCode::kAlreadyExists, ErrorReason::kDuplicate, message);
  }
  if (primary == SQLITE_CONSTRAINT) return FailedPrecondition(message);
  if (primary == SQLITE_TOOBIG) return ResourceExhausted(message);
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return Unavailable(message + "; another program holds the database");
  }
  return Internal(fmt::format("{} [{}]", message, code));
}

}  // namespace talon::store
