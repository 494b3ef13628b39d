// SPDX-License-Identifier: Apache-2.0
// Which values of an option can work, said where the option is declared:
//
//   Option("weight", &O::weight, Between(0, 100), "Higher is tried first.")
//   Option("features", &O::features, OneOf({"tools", "reasoning"}), "What the wire supports.")
//
// config/ refuses others with the value's line and shows the range in the reference. Of a list, a
// limit is each item's. Numbers count in the option's unit: milliseconds, bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "base/option.h"

namespace talon {

struct Limit {
  enum class Kind { kRange, kChoices, kIpAddress };
  static constexpr std::size_t kMostChoices = 8;

  Kind kind = Kind::kRange;
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
  std::array<std::string_view, kMostChoices> choices{};  // the rest is empty
};

constexpr Limit Between(std::int64_t low, std::int64_t high) {
  return {.low = low, .high = high};
}
constexpr Limit AtLeast(std::int64_t low) {
  return {.low = low};
}
constexpr Limit OneOf(std::initializer_list<std::string_view> choices) {
  Limit limit{.kind = Limit::Kind::kChoices};
  std::copy(choices.begin(), choices.end(), limit.choices.begin());
  return limit;
}
constexpr Limit IpAddress() {
  return {.kind = Limit::Kind::kIpAddress};
}
inline constexpr Limit kPositive = AtLeast(1);

template <class Struct, class Value>
struct LimitedField : OptionField<Struct, Value> {
  Limit limit;
};

template <class Struct, class Value>
constexpr LimitedField<Struct, Value> Option(std::string_view name, Value Struct::* member,
                                             Limit limit, std::string_view doc,
                                             Reload reload = Reload::kLive) {
  return {{name, member, doc, reload}, limit};
}

}  // namespace talon
