// SPDX-License-Identifier: Apache-2.0
#include "model/retry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/status.h"
#include "base/text.h"

namespace talon::model {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestRetryAfter = std::chrono::hours(24);

std::optional<double> ParseNumber(std::string_view text) {
  std::string digits(TrimSpace(text));
  if (digits.empty() || digits.find_first_not_of("0123456789.") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  double value = std::strtod(digits.c_str(), &end);
  if (*end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

milliseconds Bounded(double ms) {
  double longest = static_cast<double>(kLongestRetryAfter.count());
  return milliseconds(std::llround(std::clamp(ms, 0.0, longest)));
}

int MonthNumber(std::string_view name) {
  constexpr auto kMonths = std::to_array<std::string_view>(
      {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"});
  auto found = std::find(kMonths.begin(), kMonths.end(), name);
  return found == kMonths.end() ? 0 : static_cast<int>(found - kMonths.begin()) + 1;
}

// The three forms of RFC 9110 §5.6.7.
std::optional<WallTime> ParseHttpDate(std::string_view text) {
  const std::string date(TrimSpace(text));
  char month[4] = {};
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  bool read = std::sscanf(date.c_str(), "%*[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &day,
                          month, &year, &hour, &minute, &second) == 6 ||
              std::sscanf(date.c_str(), "%*[A-Za-z], %2d-%3[A-Za-z]-%4d %2d:%2d:%2d GMT", &day,
                          month, &year, &hour, &minute, &second) == 6 ||
              std::sscanf(date.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", month, &day,
                          &hour, &minute, &second, &year) == 6;
  if (!read) return std::nullopt;
  if (year < 100) year += year < 70 ? 2000 : 1900;
  std::chrono::year_month_day ymd{std::chrono::year(year),
                                  std::chrono::month(static_cast<unsigned>(MonthNumber(month))),
                                  std::chrono::day(static_cast<unsigned>(std::max(day, 0)))};
  if (!ymd.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(ymd) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace

std::optional<milliseconds> ParseRetryAfter(const io::Headers& headers, WallTime now) {
  for (std::string_view name : {"retry-after-ms", "x-ms-retry-after-ms"}) {
    if (auto ms = ParseNumber(headers.Get(name))) return Bounded(*ms);
  }
  std::string_view value = headers.Get("retry-after");
  if (auto seconds = ParseNumber(value)) return Bounded(*seconds * 1000);
  if (auto date = ParseHttpDate(value)) {
    return Bounded(std::chrono::duration<double, std::milli>(*date - now).count());
  }
  return std::nullopt;
}

bool IsRetriable(const absl::Status& error) {
  switch (ReasonOf(error)) {
    case ErrorReason::kRateLimited:
    case ErrorReason::kOverloaded:
      return true;
    case ErrorReason::kTransport:
      // Not an answer that was too large: it would be so again.
      return error.code() == absl::StatusCode::kUnavailable ||
             error.code() == absl::StatusCode::kDeadlineExceeded;
    default:
      return false;
  }
}

RetryPlan::RetryPlan(const ProviderOptions& options, SteadyTime deadline, std::uint32_t seed)
    : options_(options), deadline_(deadline), random_(seed) {}

std::optional<milliseconds> RetryPlan::Next(const absl::Status& error, SteadyTime now) {
  if (attempts_ >= options_.max_attempts || !IsRetriable(error)) return std::nullopt;
  // Equal jitter: half of the doubled delay is certain, half is random.
  double delay = static_cast<double>(options_.base_delay.count()) *
                 std::pow(2.0, static_cast<double>(attempts_ - 1));
  delay = std::min(delay, static_cast<double>(options_.max_delay.count()));
  double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  milliseconds wait(std::llround(delay * share));
  // Never earlier than asked: that would be refused again. A wait we do not want to make ends here,
  // and the router goes on to another model.
  wait = std::max(wait, milliseconds(RetryAfterMsOf(error)));
  if (wait > options_.max_delay || waited_ + wait > options_.max_total_wait) return std::nullopt;
  if (deadline_ != SteadyTime::max() && now + wait >= deadline_) return std::nullopt;
  waited_ += wait;
  ++attempts_;
  return wait;
}

}  // namespace talon::model
