// SPDX-License-Identifier: Apache-2.0
// Options of the journal. Every default stands here once.
#pragma once

#include <chrono>
#include <cstdint>
#include <tuple>

#include "base/option_limit.h"

namespace talon::journal {

struct JournalOptions {
  Bytes compress_from{512};
  Bytes max_snapshot{64 << 20};
  std::uint32_t known_principals = 4096;
  std::uint32_t known_snapshots = 256;
  std::chrono::milliseconds keep_unnamed{7 * 24 * 3600 * 1000};

  static constexpr auto Fields() {
    using O = JournalOptions;
    return std::make_tuple(
        Option("compress_from", &O::compress_from,
               "Prompt snapshots larger than this are stored compressed.", Reload::kRestart),
        Option("max_snapshot", &O::max_snapshot, kPositive,
               "Largest prompt snapshot, before compression.", Reload::kRestart),
        Option("known_principals", &O::known_principals,
               "Principals remembered as stored, so that they are not written again.",
               Reload::kRestart),
        Option("known_snapshots", &O::known_snapshots,
               "Prompt snapshots remembered as stored, so that they are not compressed again.",
               Reload::kRestart),
        Option("keep_unnamed", &O::keep_unnamed,
               "How long a session that nobody gave a key stays after its last turn; 0 = for ever.",
               Reload::kRestart));
  }
};

}  // namespace talon::journal
