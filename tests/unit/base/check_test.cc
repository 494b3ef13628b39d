// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <gtest/gtest.h>

namespace talon {
namespace {

TEST(CheckDeathTest, NamesTheConditionAndEnds) {
  TALON_CHECK(1 + 1 == 2);
  EXPECT_DEATH(TALON_CHECK(1 + 1 == 3), "check_test.cc:[0-9]+: .*1 \\+ 1 == 3");
}

}  // namespace
}  // namespace talon
