// SPDX-License-Identifier: Apache-2.0
// Waiting for the process that holds the home folder: by inotify and pidfd, without a poll. Loop's
// thread.
#pragma once

#include <optional>

#include "base/call_context.h"
#include "daemon/paths.h"
#include "io/task.h"

namespace talon::io {
class Loop;
}

namespace talon::cli {

// Ends when a daemon announces itself other than as `known`, when the process that holds the folder
// is gone, or when `context` ends: then with its error.
io::Task<absl::Status> HolderChanged(io::Loop& loop, const daemon::Paths& paths,
                                     std::optional<daemon::Announcement> known,
                                     CallContext context);

}  // namespace talon::cli
