// SPDX-License-Identifier: Apache-2.0
#include "plugin/restart_policy.h"

#include <algorithm>
#include <utility>

namespace talon::plugin {
namespace {

constexpr std::size_t kMostDoublings = 30;  // keeps the shift defined; backoff_max is far below
constexpr double kLeastJitter = 0.75;       // of the full wait

}  // namespace

RestartPolicy::RestartPolicy(const HostOptions& options, std::function<double()> random)
    : options_(options), random_(std::move(random)) {}

void RestartPolicy::Reset() {
  crashes_.clear();
  next_start_ = {};
  failed_ = false;
}

void RestartPolicy::NoteCrash(SteadyTime now) {
  const auto started = std::exchange(started_, std::nullopt);
  if (started && now - *started >= options_.healthy_after) crashes_.clear();
  crashes_.push_back(now);
  while (crashes_.front() + options_.restart_window < now) crashes_.pop_front();
  const std::size_t crashes = crashes_.size();
  const std::size_t most = std::max<std::size_t>(options_.max_restarts, 1);
  while (crashes_.size() > most) crashes_.pop_front();
  failed_ = crashes >= most;
  if (failed_) {
    next_start_ = now + options_.backoff_max;
    return;
  }
  if (crashes == 1) {
    next_start_ = now;
    return;
  }
  const auto doublings = std::min(crashes - 2, kMostDoublings);
  const auto full = std::min<std::chrono::milliseconds>(
      options_.backoff_base * (std::int64_t{1} << doublings), options_.backoff_max);
  const double share = kLeastJitter + (1 - kLeastJitter) * random_();
  next_start_ = now + std::chrono::duration_cast<SteadyTime::duration>(full * share);
}

}  // namespace talon::plugin
