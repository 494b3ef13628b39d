// SPDX-License-Identifier: Apache-2.0
// Folders for the time of one use, in which a plugin may have made what it liked. Blocks; run it on
// a worker.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace talon::plugin {

// A new folder of this user's alone with a short path, since sockets stand in it.
absl::StatusOr<std::string> MakeScratch();

// Removes `folder` with all it holds, however deep, as far as this user can. Follows no link, and
// leaves the rest after a million entries. Nobody else may be changing it.
void RemoveTree(const std::string& folder);

}  // namespace talon::plugin
