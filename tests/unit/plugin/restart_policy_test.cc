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

TEST(RestartPolicyTest, AProcessThatKeptUpStartsTheCountAgain) {
  HostOptions options;
  RestartPolicy policy(options, [] { return 1.0; });
  SteadyTime now{1000s};
  for (int i = 0; i < 4; ++i) policy.NoteCrash(now);
  policy.NoteStart(now);
  policy.NoteCrash(now + options.healthy_after);
  EXPECT_EQ(policy.next_start(), now + options.healthy_after);
  policy.NoteStart(now);
  policy.NoteCrash(now + options.healthy_after - 1ms);
  EXPECT_GT(policy.next_start(), now + options.healthy_after - 1ms);
}

TEST(RestartPolicyTest, ResetForgets) {
  HostOptions options;
  RestartPolicy policy(options, [] { return 1.0; });
  const SteadyTime now{1000s};
  for (int i = 0; i < 5; ++i) policy.NoteCrash(now);
  ASSERT_TRUE(policy.failed(now));
  policy.Reset();
  EXPECT_FALSE(policy.failed(now));
  EXPECT_LE(policy.next_start(), now);
  policy.NoteCrash(now);
  EXPECT_EQ(policy.next_start(), now);
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
