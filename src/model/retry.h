// SPDX-License-Identifier: Apache-2.0
// When a failed request is tried again: rate limits, overload and transport errors, with doubling,
// jittered waits and the provider's own word on when. It only computes; RetryingModel waits. Loop's
// thread; private to the room.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "base/clock.h"
#include "io/http_types.h"
#include "model/options.h"

namespace talon::model {

// How long the answer asks to wait: retry-after-ms, x-ms-retry-after-ms, or Retry-After in seconds
// (fractions too) or as an HTTP date. Nothing when it says nothing we can read; at most one day.
std::optional<std::chrono::milliseconds> ParseRetryAfter(const io::Headers& headers, WallTime now);

bool IsRetriable(const absl::Status& error);

// The tries of one request. `options` must outlive it.
class RetryPlan {
 public:
  RetryPlan(const ProviderOptions& options, SteadyTime deadline, std::uint32_t seed);
  // How long to wait before the next try after `error`; nothing = give up: the error is final, the
  // tries are used up, or the wait would pass a limit or the deadline.
  std::optional<std::chrono::milliseconds> Next(const absl::Status& error, SteadyTime now);
  std::uint32_t attempts() const { return attempts_; }

 private:
  const ProviderOptions& options_;
  const SteadyTime deadline_;
  std::uint32_t attempts_ = 1;
  std::chrono::milliseconds waited_{0};
  std::minstd_rand random_;
};

}  // namespace talon::model
