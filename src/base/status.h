// SPDX-License-Identifier: Apache-2.0
// absl::Status is the one error type across every room's border. Text says what was attempted, the
// identifier and the cause, in lower case. Code branches on the status code and ErrorReason, never
// on text. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon {

// Why an operation failed, where a caller must branch finer than by status code. Carried as a
// payload of the status; kNone when there is none.
enum class ErrorReason {
  kNone,
  // Model provider taxonomy.
  kAuth,             // the credential was refused
  kQuota,            // the account has no credit left
  kRateLimited,      // try later; see RetryAfter
  kOverloaded,       // the provider cannot serve now (503, 529)
  kContextTooLong,   // the prompt exceeds the model's window
  kContentFiltered,  // the provider refused the content
  kBadRequest,       // the provider could not read the request
  kTransport,        // no complete answer arrived (connect, TLS, cut, timeout)
  // Tools and plugins.
  kUnknownTool,
  kInvalidArguments,
  kDenied,
  kPluginCrashed,
  kPluginMisbehaved,
  kOutcomeUnknown,  // an effect may or may not have happened
  // Storage and environment.
  kDiskFull,
  kReadOnly,
  kAlreadyRunning,
  kDuplicate,
  kUnknownModel,
};

std::string_view ErrorReasonName(ErrorReason reason);

// A status with a reason attached. `code` must not be kOk.
absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message);

// The reason attached to `status`, or kNone.
ErrorReason ReasonOf(const absl::Status& status);

// Attaches and reads the provider's "try again after", in milliseconds; 0 = none given.
absl::Status WithRetryAfter(absl::Status status, long retry_after_ms);
long RetryAfterMsOf(const absl::Status& status);

// The same status with `context` + ": " before its message; payloads are kept.
absl::Status Annotate(const absl::Status& status, std::string_view context);

// "NOT_FOUND: no such session" for logs and people; "OK" when ok.
std::string StatusText(const absl::Status& status);

// The message alone, as std::string_view (absl's string_view is not std's in Debian's build).
inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// errno as a Status: "<attempt>: <strerror>", with kDiskFull and kReadOnly reasons set.
absl::Status ErrnoToStatus(int error_number, std::string_view attempt);

inline absl::Status InvalidArgument(std::string_view m) {
  return absl::InvalidArgumentError(absl::string_view(m.data(), m.size()));
}
inline absl::Status NotFound(std::string_view m) {
  return absl::NotFoundError(absl::string_view(m.data(), m.size()));
}
inline absl::Status Internal(std::string_view m) {
  return absl::InternalError(absl::string_view(m.data(), m.size()));
}
inline absl::Status Unavailable(std::string_view m) {
  return absl::UnavailableError(absl::string_view(m.data(), m.size()));
}
inline absl::Status FailedPrecondition(std::string_view m) {
  return absl::FailedPreconditionError(absl::string_view(m.data(), m.size()));
}
inline absl::Status PermissionDenied(std::string_view m) {
  return absl::PermissionDeniedError(absl::string_view(m.data(), m.size()));
}
inline absl::Status ResourceExhausted(std::string_view m) {
  return absl::ResourceExhaustedError(absl::string_view(m.data(), m.size()));
}
inline absl::Status DeadlineExceeded(std::string_view m) {
  return absl::DeadlineExceededError(absl::string_view(m.data(), m.size()));
}
inline absl::Status Cancelled(std::string_view m) {
  return absl::CancelledError(absl::string_view(m.data(), m.size()));
}

}  // namespace talon

#define TALON_CONCAT_INNER_(a, b) a##b
#define TALON_CONCAT_(a, b) TALON_CONCAT_INNER_(a, b)

// Returns the error of `expr` from the enclosing function. TALON_CO_… for coroutines.
#define TALON_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                  \
    if (absl::Status talon_status_ = (expr); !talon_status_.ok()) return talon_status_; \
  } while (false)
#define TALON_CO_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                     \
    if (absl::Status talon_status_ = (expr); !talon_status_.ok()) co_return talon_status_; \
  } while (false)

// TALON_ASSIGN_OR_RETURN(auto value, StatusOrExpression());
#define TALON_ASSIGN_OR_RETURN(lhs, expr) \
  TALON_ASSIGN_OR_RETURN_(TALON_CONCAT_(talon_result_, __LINE__), lhs, expr, return)
#define TALON_CO_ASSIGN_OR_RETURN(lhs, expr) \
  TALON_ASSIGN_OR_RETURN_(TALON_CONCAT_(talon_result_, __LINE__), lhs, expr, co_return)
#define TALON_ASSIGN_OR_RETURN_(tmp, lhs, expr, ret) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) ret tmp.status();                   \
  lhs = *std::move(tmp)
