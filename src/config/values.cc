// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "base/json.h"
#include "base/text.h"

namespace talon::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"B", 1}};

// A number and a unit of `units`; a bare 0 needs none.
template <std::size_t N>
bool ParseWithUnit(std::string_view text, const Unit (&units)[N], std::string_view bare_unit,
                   std::int64_t& out) {
  text = TrimSpace(text);
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0)) return false;
  std::string_view unit =
      TrimSpace({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  if (unit.empty()) {
    if (number != 0 && bare_unit.empty()) return false;
    unit = bare_unit.empty() ? units[0].name : bare_unit;
  }
  for (const Unit& known : units) {
    if (!EqualsIgnoreCase(known.name, unit)) continue;
    const double value = number * static_cast<double>(known.factor);
    if (value > 9e15) return false;
    out = static_cast<std::int64_t>(value);
    return true;
  }
  return false;
}

template <std::size_t N>
std::string FormatWithUnit(std::uint64_t value, const Unit (&units)[N]) {
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    const auto factor = static_cast<std::uint64_t>(unit.factor);
    if (value % factor == 0 && (best == nullptr || unit.factor > best->factor)) best = &unit;
  }
  return fmt::format("{}{}", value / static_cast<std::uint64_t>(best->factor), best->name);
}

}  // namespace

bool IsCredentialName(std::string_view name) {
  std::string lower;
  for (const char c : ToLowerAscii(std::string(name))) {
    if (c != '_' && c != '-' && c != '.' && c != ' ') lower += c;
  }
  for (const std::string_view end :
       {"token", "secret", "password", "passwd", "passphrase", "apikey", "accesskey", "privatekey",
        "secretkey", "authorization", "credential", "credentials", "cookie", "dsn"}) {
    if (lower.ends_with(end)) return true;
  }
  return lower == "key" || lower == "auth" || lower == "xkey";
}

absl::Status ParseValue(std::string_view text, bool& out) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") {
    out = true;
  } else if (text == "false" || text == "no" || text == "off" || text == "0") {
    out = false;
  } else {
    return InvalidArgument(fmt::format("'{}' is not true or false", text));
  }
  return absl::OkStatus();
}

absl::Status ParseValue(std::string_view text, double& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument(fmt::format("'{}' is not a number", text));
  }
  return absl::OkStatus();
}

absl::Status ParseInteger(std::string_view text, std::int64_t low, std::uint64_t high,
                          std::int64_t& out) {
  const auto top = static_cast<std::int64_t>(
      std::min<std::uint64_t>(high, std::numeric_limits<std::int64_t>::max()));
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument(fmt::format("'{}' is not a whole number", text));
  }
  if (out < low || out > top) {
    return InvalidArgument(fmt::format("{} is not between {} and {}", out, low, top));
  }
  return absl::OkStatus();
}

absl::Status ParseValue(std::string_view text, std::chrono::milliseconds& out) {
  std::int64_t value = 0;
  if (!ParseWithUnit(text, kDurations, "", value)) {
    return InvalidArgument(
        fmt::format("'{}' is not a duration; write 500ms, 30s, 5m, 2h or 1d", text));
  }
  // Nanoseconds are counted in 64 bits: 292 years.
  constexpr std::chrono::milliseconds kLongest = std::chrono::days(36'500);
  if (value > kLongest.count()) {
    return InvalidArgument(fmt::format("'{}' is longer than 36500d", text));
  }
  out = std::chrono::milliseconds(value);
  return absl::OkStatus();
}

absl::Status ParseValue(std::string_view text, Bytes& out) {
  std::int64_t value = 0;
  if (!ParseWithUnit(text, kSizes, "B", value)) {
    return InvalidArgument(fmt::format("'{}' is not a size; write 512, 64KB, 8MB or 1GB", text));
  }
  out.value = static_cast<std::uint64_t>(value);
  return absl::OkStatus();
}

std::string FormatValue(bool value) {
  return value ? "true" : "false";
}
std::string FormatValue(double value) {
  return fmt::format("{}", value);
}
std::string FormatValue(std::chrono::milliseconds value) {
  if (value.count() == 0) return "0s";
  return FormatWithUnit(static_cast<std::uint64_t>(value.count()), kDurations);
}
std::string FormatValue(Bytes value) {
  return value.value == 0 ? "0" : FormatWithUnit(value.value, kSizes);
}

std::string FormatValue(const std::string& value) {
  const bool plain = !value.empty() &&
                     value.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_./-") == std::string::npos &&
                     value != "true" && value != "false" && value != "null" && value != "yes" &&
                     value != "no" && value != "on" && value != "off" &&
                     (value[0] < '0' || value[0] > '9') && value[0] != '-';
  if (plain) return value;
  std::string quoted;
  AppendJsonString(quoted, value);
  return quoted;
}

}  // namespace talon::config
