// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/store_conformance.h"

namespace talon::store {
namespace {

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance,
                         testing::Values(StoreDriver{"sqlite", OpenSqlite}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace talon::store
