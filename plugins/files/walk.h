// SPDX-License-Identifier: Apache-2.0
// Goes through a folder of the workspace in order of names, folders after their own entry. Symbolic
// links are told and never followed; .git is told and never entered.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins {

enum class EntryKind { kFile, kFolder, kLink, kOther };

struct Entry {
  std::string path;  // relative to the workspace
  EntryKind kind = EntryKind::kOther;
  std::uint64_t size = 0;  // of a file
};

struct WalkOutcome {
  bool stopped = false;  // the visitor said so
  bool cut = false;      // a folder had more entries than are read
  int unreadable = 0;    // folders that could not be opened
};

// `visit` answers whether to go on. An error when `path` itself is no readable folder.
absl::StatusOr<WalkOutcome> Walk(const sdk::Workspace& workspace, const std::string& path,
                                 int depth, const std::function<bool(const Entry&)>& visit);

}  // namespace talon::plugins
