// SPDX-License-Identifier: Apache-2.0
#include "plugin/restart_policy.h"

#include <gtest/gtest.h>

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;

TEST(RestartPolicyTest, FirstAtOnceThenDoublingThenFailed) {
  HostOptions options;
  RestartPolicy policy(options, [] { return 1.0; });
  SteadyTime now{1000s};
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now);
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now + 500ms);
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now + 1s);
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now + 2s);
  EXPECT_FALSE(policy.failed(now));
  policy.NoteCrash(now);
  EXPECT_TRUE(policy.failed(now));
  EXPECT_FALSE(policy.failed(now + 60s));  // the next call is the trial
  policy.NoteCrash(now + 60s);
  EXPECT_TRUE(policy.failed(now + 60s));
}

TEST(RestartPolicyTest, OldCrashesAreForgotten) {
  HostOptions options;
  RestartPolicy policy(options, [] { return 0.0; });
  SteadyTime now{1000s};
  for (int i = 0; i < 20; ++i) {
    policy.NoteCrash(now);
    EXPECT_EQ(policy.next_start(), now);
    now += options.restart_window + 1ms;
  }
}

TEST(RestartPolicyTest, JitterShortensByAQuarterAtMost) {
  HostOptions options;
  RestartPolicy policy(options, [] { return 0.0; });
  const SteadyTime now{1000s};
  policy.NoteCrash(now);
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now + 375ms);
}

TEST(RestartPolicyTest, WaitsAreCapped) {
  HostOptions options;
  options.max_restarts = 100;
  RestartPolicy policy(options, [] { return 1.0; });
  const SteadyTime now{1000s};
  for (int i = 0; i < 90; ++i) policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now + options.backoff_max);
}

}  // namespace
}  // namespace talon::plugin
