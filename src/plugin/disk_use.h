// SPDX-License-Identifier: Apache-2.0
// What a plugin's own folders hold, as somebody hostile may have filled them. Blocks, never follows
// a link.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace talon::plugin {

struct DiskLimits {
  std::uint64_t most_bytes = 0;
  std::uint64_t min_free_bytes = 0;  // of their file systems; 0 = not looked at
};

// ResourceExhausted when the folders hold more together than they may (a sparse file counts whole,
// an empty one for its entry), when one cannot be counted, or when their disk is nearly full. With
// `watch`, a descriptor of inotify, the next change of anything below is told there, once.
absl::Status CheckDisk(const std::vector<std::string>& folders, DiskLimits limits, int watch = -1);

}  // namespace talon::plugin
