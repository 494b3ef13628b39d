// SPDX-License-Identifier: Apache-2.0
#include "model/retry.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::model {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 7s;

std::optional<milliseconds> Parse(std::string name, std::string value) {
  return ParseRetryAfter({{std::move(name), std::move(value)}}, kNow);
}

TEST(RetryAfterTest, ReadsEveryForm) {
  EXPECT_EQ(Parse("Retry-After", "20"), 20s);
  EXPECT_EQ(Parse("retry-after", " 1.5 "), 1500ms);
  EXPECT_EQ(Parse("retry-after", "0"), 0ms);
  EXPECT_EQ(Parse("retry-after-ms", "250"), 250ms);
  EXPECT_EQ(Parse("x-ms-retry-after-ms", "250.4"), 250ms);
  EXPECT_EQ(Parse("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), 30s);
  EXPECT_EQ(Parse("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"), 30s);
  EXPECT_EQ(Parse("retry-after", "Sun Nov  6 08:49:37 1994"), 30s);
  EXPECT_EQ(Parse("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), 0ms) << "in the past";
  EXPECT_EQ(Parse("retry-after", "999999999999"), 24h);
}

TEST(RetryAfterTest, MillisecondsComeFirst) {
  EXPECT_EQ(ParseRetryAfter({{"retry-after", "1"}, {"retry-after-ms", "700"}}, kNow), 700ms);
}

TEST(RetryAfterTest, IgnoresWhatItCannotRead) {
  for (std::string odd : {"", "soon", "-5", "1e5", "nan", "0x10", "1.2.3",
                          "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(Parse("retry-after", odd), std::nullopt) << odd;
  }
  EXPECT_EQ(ParseRetryAfter({}, kNow), std::nullopt);
}

absl::Status Error(ErrorReason reason, absl::StatusCode code = absl::StatusCode::kUnavailable) {
  return MakeError(code, reason, "x");
}

TEST(RetryPlanTest, OnlyWhatCanPassIsTriedAgain) {
  EXPECT_TRUE(IsRetriable(Error(ErrorReason::kRateLimited)));
  EXPECT_TRUE(IsRetriable(Error(ErrorReason::kOverloaded)));
  EXPECT_TRUE(IsRetriable(Error(ErrorReason::kTransport)));
  EXPECT_FALSE(IsRetriable(Error(ErrorReason::kTransport, absl::StatusCode::kResourceExhausted)));
  for (ErrorReason final : {ErrorReason::kAuth, ErrorReason::kQuota, ErrorReason::kContextTooLong,
                            ErrorReason::kBadRequest, ErrorReason::kContentFiltered,
                            ErrorReason::kUnknownModel, ErrorReason::kNone}) {
    EXPECT_FALSE(IsRetriable(Error(final)));
  }
}

TEST(RetryPlanTest, DoublesWithJitterAndStopsAfterMaxAttempts) {
  ProviderOptions options;
  options.max_attempts = 4;
  options.base_delay = 1000ms;
  options.max_delay = 3000ms;
  for (std::uint32_t seed = 1; seed < 200; ++seed) {
    RetryPlan plan(options, SteadyTime::max(), seed);
    for (milliseconds full : {1000ms, 2000ms, 3000ms}) {
      auto wait = plan.Next(Error(ErrorReason::kOverloaded), SteadyTime());
      ASSERT_TRUE(wait.has_value());
      EXPECT_GE(*wait, full / 2);
      EXPECT_LE(*wait, full);
    }
    EXPECT_EQ(plan.attempts(), 4u);
    EXPECT_EQ(plan.Next(Error(ErrorReason::kOverloaded), SteadyTime()), std::nullopt);
  }
}

TEST(RetryPlanTest, HonoursRetryAfterOrGivesUp) {
  ProviderOptions options;
  auto limited = [](long ms) { return WithRetryAfter(Error(ErrorReason::kRateLimited), ms); };
  RetryPlan plan(options, SteadyTime::max(), 1);
  EXPECT_EQ(plan.Next(limited(5000), SteadyTime()), 5000ms);
  RetryPlan too_long(options, SteadyTime::max(), 1);
  EXPECT_EQ(too_long.Next(limited(20'001), SteadyTime()), std::nullopt);
  RetryPlan total(options, SteadyTime::max(), 1);
  EXPECT_EQ(total.Next(limited(20'000), SteadyTime()), 20'000ms);
  EXPECT_EQ(total.Next(limited(15'000), SteadyTime()), std::nullopt) << "max_total_wait is 30 s";
}

TEST(RetryPlanTest, NeverWaitsPastTheDeadline) {
  ProviderOptions options;
  SteadyTime now = SteadyTime() + 1h;
  RetryPlan plan(options, now + 100ms, 1);
  EXPECT_EQ(plan.Next(Error(ErrorReason::kTransport), now), std::nullopt);
}

}  // namespace
}  // namespace talon::model
