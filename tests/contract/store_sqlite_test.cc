// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/store_conformance.h"

namespace talon::store {
namespace {

absl::StatusOr<std::unique_ptr<Store>> OpenForProcess(io::Loop& loop, const std::string& folder,
                                                      StoreOptions options) {
  options.durability = Durability::kProcess;
  return OpenSqlite(loop, folder, options);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance,
                         testing::Values(StoreDriver{"power", OpenSqlite},
                                         StoreDriver{"process", OpenForProcess}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace talon::store
