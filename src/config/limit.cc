// SPDX-License-Identifier: Apache-2.0
#include "config/limit.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace talon::config {
namespace {

bool IsIpAddress(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::string DescribeRange(const Limit& limit, NumberWriter write) {
  if (limit.high == std::numeric_limits<std::int64_t>::max()) {
    return "at least " + write(limit.low);
  }
  return fmt::format("{} to {}", write(limit.low), write(limit.high));
}

std::string DescribeChoices(const Limit& limit) {
  std::string text;
  for (const std::string_view choice : limit.choices) {
    if (!choice.empty()) text += (text.empty() ? "" : ", ") + std::string(choice);
  }
  return text;
}

}  // namespace

std::string DescribeLimit(const Limit& limit, NumberWriter write) {
  switch (limit.kind) {
    case Limit::Kind::kRange:
      return DescribeRange(limit, write);
    case Limit::Kind::kChoices:
      return DescribeChoices(limit);
    case Limit::Kind::kIpAddress:
      return "an IP address";
  }
  return "";
}

absl::Status CheckNumber(const Limit& limit, double value, const std::string& written,
                         NumberWriter write) {
  if (value >= static_cast<double>(limit.low) && value <= static_cast<double>(limit.high)) {
    return absl::OkStatus();
  }
  return InvalidArgument(fmt::format("{} is not {}", written, DescribeRange(limit, write)));
}

// The empty text is a choice where it stands first among them.
absl::Status CheckText(const Limit& limit, const std::string& value) {
  if (limit.kind == Limit::Kind::kIpAddress) {
    if (IsIpAddress(value)) return absl::OkStatus();
    return InvalidArgument(fmt::format(
        "'{}' is not an IP address; write 127.0.0.1, ::1, or 0.0.0.0 for every address", value));
  }
  const bool known = value.empty() ? limit.choices.front().empty()
                                   : std::ranges::find(limit.choices, value) != limit.choices.end();
  if (known) return absl::OkStatus();
  return InvalidArgument(fmt::format("'{}' is not one of {}", value, DescribeChoices(limit)));
}

}  // namespace talon::config
