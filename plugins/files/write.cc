// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "files/atomic_write.h"
#include "files/tools.h"
#include "talon/sdk/text.h"

namespace talon::plugins {

sdk::Result WriteTool(const Files& files, const sdk::Args& args) {
  const auto path = files.workspace.Relative(args.String("path"));
  if (!path.ok()) return sdk::Result::Error(path.status());
  const std::string content = args.String("content");
  const absl::StatusOr<WriteOutcome> outcome = AtomicWrite(files.workspace, *path, content);
  if (!outcome.ok()) return sdk::Result::Error(outcome.status());
  const char* what = *outcome == WriteOutcome::kCreated    ? "created"
                     : *outcome == WriteOutcome::kReplaced ? "replaced"
                                                           : "already has this content:";
  return sdk::Result::Text(fmt::format("{} {} ({})", what, *path, sdk::HumanSize(content.size())));
}

}  // namespace talon::plugins
