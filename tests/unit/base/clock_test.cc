// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/call_context.h"

namespace talon {
namespace {

using std::chrono::microseconds;

TEST(Clock, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(FormatTime(WallTime(microseconds(1769862896789123))), "2026-01-31T12:34:56.789Z");
  EXPECT_EQ(FormatTime(WallTime(microseconds(0))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(WallTime(microseconds(951782400000000))), "2000-02-29T00:00:00.000Z");
}

TEST(Clock, FormatsTimesBeforeTheEpoch) {
  EXPECT_EQ(FormatTime(WallTime(microseconds(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, ContextOnlyNarrows) {
  CallContext context;
  const SteadyTime soon{std::chrono::seconds(5)};
  const SteadyTime later{std::chrono::seconds(9)};
  EXPECT_EQ(context.Until(soon).deadline, soon);
  EXPECT_EQ(context.Until(soon).Until(later).deadline, soon);
}

}  // namespace
}  // namespace talon
