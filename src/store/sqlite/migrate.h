// SPDX-License-Identifier: Apache-2.0
// Brings a database to the newest schema. Blocks; before any other use of the connection.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/sql_files.h"

namespace talon::store {

// Applies what is missing of `migrations` (numbered from 1, in order), each in a transaction of its
// own that also records its digest. FailedPrecondition when the database knows a migration this
// program does not (it was written by a newer version), or one whose text has changed since.
absl::Status Migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace talon::store
