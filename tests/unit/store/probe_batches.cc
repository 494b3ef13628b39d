// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/store/probe_batches.h"

#include <utility>

namespace talon::store {
namespace {

std::string RowId(int number, int row) {
  return "ses_" + std::to_string(number) + "_" + std::to_string(row);
}

}  // namespace

Batch ProbeBatch(int number, std::size_t title_bytes) {
  Batch batch;
  for (int row = 0; row < kRowsPerBatch; ++row) {
    const std::string id = RowId(number, row);
    const std::string none;
    batch.push_back(
        {"insert_session",
         {id, id, std::string("t"), std::string("u"), std::string("a"), std::string("cli"),
          std::string(title_bytes, 'x'), none, none, std::int64_t{1}, std::int64_t{1}}});
  }
  return batch;
}

absl::StatusOr<int> ProbeRows(io::Loop& loop, Store& store, int number) {
  int found = 0;
  for (int row = 0; row < kRowsPerBatch; ++row) {
    std::vector<Value> params{RowId(number, row)};
    const auto rows = loop.RunUntilDone(store.Read("load_session", std::move(params)));
    if (!rows.ok()) return rows.status();
    found += static_cast<int>(rows->size());
  }
  return found;
}

}  // namespace talon::store
