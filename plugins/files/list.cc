// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "files/tools.h"
#include "files/walk.h"

namespace talon::plugins {

sdk::Result ListTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call) {
  const auto path = files.workspace.Relative(args.String("path"));
  if (!path.ok()) return sdk::Result::Error(path.status());
  const int depth =
      static_cast<int>(std::clamp(args.Int("depth", 1), 1L, long{files.limits.max_depth}));
  std::string out;
  std::size_t entries = 0;
  bool full = false;
  const auto visit = [&](const Entry& entry) {
    full = ++entries > files.limits.max_entries;
    if (full || call.cancelled()) return false;
    switch (entry.kind) {
      case EntryKind::kFile:
        out += fmt::format("{} {}\n", entry.path, entry.size);
        break;
      case EntryKind::kFolder:
        out += entry.path + "/\n";
        break;
      case EntryKind::kLink:
        out += entry.path + " (link)\n";
        break;
      case EntryKind::kOther:
        out += entry.path + " (no regular file)\n";
        break;
    }
    return true;
  };
  const absl::StatusOr<WalkOutcome> outcome = Walk(files.workspace, *path, depth, visit);
  if (!outcome.ok()) return sdk::Result::Error(outcome.status());
  if (call.cancelled()) return sdk::Result::Error("list: cancelled");
  if (full) out += fmt::format("[cut after {} entries: list a folder below]\n", entries - 1);
  if (outcome->cut) out += "[a folder has too many entries to list]\n";
  if (outcome->unreadable > 0)
    out += fmt::format("[{} folders could not be read]\n", outcome->unreadable);
  if (out.empty()) out = "[empty folder]";
  return sdk::Result::Text(std::move(out));
}

}  // namespace talon::plugins
