// SPDX-License-Identifier: Apache-2.0
// SQLite's result codes as Status. Any thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace talon::store {

// `code` is an extended result code, `system_error` the errno behind it (0 = none), `text` SQLite's
// own message. `attempt` says what was tried on which file.
absl::Status SqliteError(int code, int system_error, std::string_view text,
                         std::string_view attempt);

}  // namespace talon::store
