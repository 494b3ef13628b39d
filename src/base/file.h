// SPDX-License-Identifier: Apache-2.0
// Whole-file operations. They block: from the event loop use io::Loop::Blocking. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon {

// Fails with ResourceExhausted beyond `max_bytes`, NotFound when it does not exist.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes = 64 << 20);

// Writes beside `path`, syncs, renames over it. `mode` as in chmod.
absl::Status WriteFileAtomic(const std::string& path, std::string_view content,
                             unsigned mode = 0600);

// Creates `path` and its parents where missing, with `mode` for each created folder.
absl::Status MakeDirectories(const std::string& path, unsigned mode = 0700);

}  // namespace talon
