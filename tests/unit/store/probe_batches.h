// SPDX-License-Identifier: Apache-2.0
// Batches of known content, so that a later process can tell which of them a store holds whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "io/loop.h"
#include "store/store.h"

namespace talon::store {

inline constexpr int kRowsPerBatch = 3;

// Batch `number`: so many sessions, with titles of `title_bytes` each.
Batch ProbeBatch(int number, std::size_t title_bytes = 16);

// How many of the batch's rows the store has.
absl::StatusOr<int> ProbeRows(io::Loop& loop, Store& store, int number);

}  // namespace talon::store
