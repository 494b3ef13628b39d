// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/wire.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include "base/status.h"
#include "base/text.h"
#include "io/http_types.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kMaxMessageText = 1 << 10;       // bytes of a grpc-message that are kept
constexpr std::int64_t kMaxTimeoutValue = 99'999'999;  // eight digits

}  // namespace

std::string EncodeTimeout(std::chrono::nanoseconds remaining) {
  struct Unit {
    std::int64_t nanoseconds;
    char letter;
  };
  constexpr Unit kUnits[] = {{1'000, 'u'},
                             {1'000'000, 'm'},
                             {1'000'000'000, 'S'},
                             {60'000'000'000, 'M'},
                             {3'600'000'000'000, 'H'}};
  const std::int64_t count = std::max<std::int64_t>(remaining.count(), 1);
  for (const Unit& unit : kUnits) {
    const std::int64_t value = count / unit.nanoseconds + (count % unit.nanoseconds != 0 ? 1 : 0);
    if (value <= kMaxTimeoutValue) return fmt::format("{}{}", value, unit.letter);
  }
  return fmt::format("{}H", kMaxTimeoutValue);
}

std::string CleanText(std::string_view text, std::size_t max_bytes) {
  std::string clean = RepairUtf8(text.substr(0, max_bytes + 4));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  clean.resize(TruncateUtf8(clean, max_bytes).size());
  return clean;
}

std::string DecodeMessage(std::string_view encoded) {
  return CleanText(io::PercentDecode(encoded.substr(0, 3 * kMaxMessageText)), kMaxMessageText);
}

absl::StatusCode CodeOfHttpStatus(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInternal;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kUnknown;
  }
}

absl::StatusCode CodeOfStreamError(std::uint32_t error_code) {
  switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
      return absl::StatusCode::kUnavailable;
    case NGHTTP2_CANCEL:
      return absl::StatusCode::kCancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return absl::StatusCode::kResourceExhausted;
    case NGHTTP2_INADEQUATE_SECURITY:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status Misbehaved(std::string_view what) {
  return MakeError(absl::StatusCode::kInternal, ErrorReason::kPluginMisbehaved, what);
}

}  // namespace talon::plugin::h2
