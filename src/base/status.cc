// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"

namespace talon {
namespace {

constexpr char kReasonUrl[] = "talon/reason";
constexpr char kRetryUrl[] = "talon/retry-after-ms";

constexpr std::array<std::string_view, 19> kNames = {"none",
                                                     "auth",
                                                     "quota",
                                                     "rate_limited",
                                                     "overloaded",
                                                     "context_too_long",
                                                     "content_filtered",
                                                     "bad_request",
                                                     "transport",
                                                     "unknown_tool",
                                                     "invalid_arguments",
                                                     "denied",
                                                     "plugin_crashed",
                                                     "plugin_misbehaved",
                                                     "outcome_unknown",
                                                     "disk_full",
                                                     "read_only",
                                                     "already_running",
                                                     "duplicate"};

absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

long PayloadNumber(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  if (!payload) return 0;
  const std::string text(*payload);
  return std::strtol(text.c_str(), nullptr, 10);
}

// From a view: Cord's constructor from std::string&& is instantiated in the library under a name
// that clang mangles differently.
absl::Cord NumberPayload(long number) {
  const std::string text = std::to_string(number);
  return absl::Cord(absl::string_view(text));
}

}  // namespace

std::string_view ErrorReasonName(ErrorReason reason) {
  if (reason == ErrorReason::kUnknownModel) return "unknown_model";
  return kNames[static_cast<std::size_t>(reason)];
}

absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message) {
  absl::Status status(code, ToAbsl(message));
  if (reason != ErrorReason::kNone) {
    status.SetPayload(kReasonUrl, NumberPayload(static_cast<long>(reason)));
  }
  return status;
}

ErrorReason ReasonOf(const absl::Status& status) {
  if (status.ok()) return ErrorReason::kNone;
  return static_cast<ErrorReason>(PayloadNumber(status, kReasonUrl));
}

absl::Status WithRetryAfter(absl::Status status, long retry_after_ms) {
  if (!status.ok() && retry_after_ms > 0) {
    status.SetPayload(kRetryUrl, NumberPayload(retry_after_ms));
  }
  return status;
}

long RetryAfterMsOf(const absl::Status& status) {
  return PayloadNumber(status, kRetryUrl);
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), ToAbsl(fmt::format("{}: {}", context, Message(status))));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

std::string StatusText(const absl::Status& status) {
  if (status.ok()) return "OK";
  return fmt::format("{}: {}", absl::StatusCodeToString(status.code()), Message(status));
}

absl::Status ErrnoToStatus(int error_number, std::string_view attempt) {
  const std::string text = fmt::format("{}: {}", attempt, std::strerror(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kDiskFull, text);
    case EROFS:
      return MakeError(absl::StatusCode::kPermissionDenied, ErrorReason::kReadOnly, text);
    case EACCES:
    case EPERM:
      return PermissionDenied(text);
    case ENOENT:
    case ENOTDIR:
      return NotFound(text);
    case EEXIST:
    case EADDRINUSE:
      return absl::AlreadyExistsError(ToAbsl(text));
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ResourceExhausted(text);
    default:
      return Internal(text);
  }
}

}  // namespace talon
