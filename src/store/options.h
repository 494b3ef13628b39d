// SPDX-License-Identifier: Apache-2.0
// Options of the store. Every default stands here once.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "base/option_limit.h"

namespace talon::store {

// power: a committed step survives a power cut (one sync per group of commits).
// process: it survives the death of the process; the kernel writes it out later.
enum class Durability { kPower, kProcess };

constexpr auto EnumNames(Durability) {
  return std::array{std::pair{std::string_view("power"), Durability::kPower},
                    std::pair{std::string_view("process"), Durability::kProcess}};
}

struct StoreOptions {
  Durability durability = Durability::kPower;
  std::chrono::milliseconds busy_timeout{5'000};
  std::uint32_t max_queued_batches = 10'000;
  std::chrono::milliseconds later_delay{100};
  Bytes page_cache{2 << 20};
  Bytes checkpoint_at{4 << 20};
  Bytes max_log{16 << 20};

  static constexpr auto Fields() {
    using O = StoreOptions;
    return std::make_tuple(
        Option(
            "durability", &O::durability,
            "What a committed step survives: `power` (a power cut) or `process` (the death of the "
            "process; faster).",
            Reload::kRestart),
        Option("busy_timeout", &O::busy_timeout,
               "Longest wait for another process's lock on the database.", Reload::kRestart),
        Option("max_queued_batches", &O::max_queued_batches, kPositive,
               "Batches waiting for the writer; more are refused.", Reload::kRestart),
        Option("later_delay", &O::later_delay,
               "Longest wait of records nobody waits for (an answer's delivered mark) for a commit "
               "to share.",
               Reload::kRestart),
        Option("page_cache", &O::page_cache, kPositive, "SQLite page cache of each connection.",
               Reload::kRestart),
        Option(
            "checkpoint_at", &O::checkpoint_at, kPositive,
            "Size of the write-ahead log from which it is copied into the database as soon as no "
            "batch waits.",
            Reload::kRestart),
        Option("max_log", &O::max_log, kPositive,
               "Size of the write-ahead log from which it is copied even while batches wait.",
               Reload::kRestart));
  }
};

}  // namespace talon::store
