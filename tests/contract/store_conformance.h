// SPDX-License-Identifier: Apache-2.0
// What every driver of Store must do. A driver's test file instantiates the suite:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(StoreDriver{…}));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "io/loop.h"
#include "store/store.h"
#include "tests/support/temp_folder.h"

namespace talon::store {

struct StoreDriver {
  std::string name;
  // Opens the one store that belongs to `folder`.
  std::function<absl::StatusOr<std::unique_ptr<Store>>(io::Loop& loop, const std::string& folder,
                                                       const StoreOptions& options)>
      open;
  friend std::ostream& operator<<(std::ostream& out, const StoreDriver& driver) {
    return out << driver.name;
  }
};

class StoreConformance : public testing::TestWithParam<StoreDriver> {
 protected:
  // Opens the store, or fails the test.
  void Open(const StoreOptions& options = {});
  absl::Status Commit(Batch batch);
  // The outcomes of batches that are all submitted before the first is awaited.
  std::vector<absl::Status> CommitAll(std::vector<Batch> batches);
  absl::StatusOr<Rows> Read(std::string_view statement, std::vector<Value> params);
  bool HasSession(const std::string& id);

  test::TempFolder folder_;
  io::Loop loop_;
  std::unique_ptr<Store> store_;
};

// A session of tenant "t" and user "u" whose key is its id.
Write InsertSession(const std::string& id);

}  // namespace talon::store
