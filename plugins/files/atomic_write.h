// SPDX-License-Identifier: Apache-2.0
// Replaces a file as a whole: a temporary file beside it, then rename. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins {

enum class WriteOutcome { kCreated, kReplaced, kUnchanged };

// Makes missing folders; follows symbolic links that stay in the workspace; keeps the permissions
// of a file it replaces. Refuses what is no regular file.
absl::StatusOr<WriteOutcome> AtomicWrite(const sdk::Workspace& workspace, std::string path,
                                         std::string_view content);

}  // namespace talon::plugins
