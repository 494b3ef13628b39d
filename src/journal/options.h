// SPDX-License-Identifier: Apache-2.0
// Options of the journal. Every default stands here once.
#pragma once

#include <cstdint>
#include <tuple>

#include "base/option.h"

namespace talon::journal {

struct JournalOptions {
  Bytes compress_from{512};
  Bytes max_snapshot{64 << 20};
  std::uint32_t known_principals = 4096;
  std::uint32_t known_snapshots = 256;

  static constexpr auto Fields() {
    using O = JournalOptions;
    return std::make_tuple(
        Option("compress_from", &O::compress_from,
               "Prompt snapshots larger than this are stored compressed.", Reload::kRestart),
        Option("max_snapshot", &O::max_snapshot, "Largest prompt snapshot, before compression.",
               Reload::kRestart),
        Option("known_principals", &O::known_principals,
               "Principals remembered as stored, so that they are not written again.",
               Reload::kRestart),
        Option("known_snapshots", &O::known_snapshots,
               "Prompt snapshots remembered as stored, so that they are not compressed again.",
               Reload::kRestart));
  }
};

}  // namespace talon::journal
