// SPDX-License-Identifier: Apache-2.0
// What base/option_limit.h says of an option, applied to its value and told to people. Any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/option_limit.h"
#include "config/values.h"

namespace talon::config {

// How a number of `T`'s unit is written: 60000 as "1m" where T is a duration.
template <class T>
std::string WriteNumber(std::int64_t number) {
  if constexpr (std::same_as<T, std::chrono::milliseconds>) {
    return FormatValue(std::chrono::milliseconds(number));
  } else if constexpr (std::same_as<T, Bytes>) {
    return FormatValue(Bytes{static_cast<std::uint64_t>(number)});
  } else {
    return std::to_string(number);
  }
}

// The value as a number in that unit; of what is none, only the order counts.
template <class T>
double NumberOf(const T& value) {
  if constexpr (std::same_as<T, std::chrono::milliseconds>) {
    return static_cast<double>(value.count());
  } else if constexpr (std::same_as<T, Bytes>) {
    return static_cast<double>(value.value);
  } else {
    return static_cast<double>(value);
  }
}

using NumberWriter = std::string (*)(std::int64_t);
// "at least 1", "0 to 100", "text or image", "an IP address".
std::string DescribeLimit(const Limit& limit, NumberWriter write);
absl::Status CheckText(const Limit& limit, const std::string& value);
absl::Status CheckNumber(const Limit& limit, double value, const std::string& written,
                         NumberWriter write);

// OK when `value` is within the limit, else what it should have been.
template <class T>
absl::Status CheckLimit(const Limit& limit, const T& value) {
  if constexpr (std::same_as<T, std::string>) {
    return CheckText(limit, value);
  } else {
    return CheckNumber(limit, NumberOf(value), FormatValue(value), &WriteNumber<T>);
  }
}

}  // namespace talon::config
