// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace talon {
namespace {

TEST(Status, ReasonSurvivesAnnotation) {
  const absl::Status status = WithRetryAfter(
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "busy"), 1500);
  const absl::Status annotated = Annotate(status, "model 'm'");
  EXPECT_EQ(Message(annotated), "model 'm': busy");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(annotated), ErrorReason::kOverloaded);
  EXPECT_EQ(RetryAfterMsOf(annotated), 1500);
}

TEST(Status, NothingAttachedReadsAsNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), ErrorReason::kNone);
  EXPECT_EQ(ReasonOf(NotFound("x")), ErrorReason::kNone);
  EXPECT_EQ(RetryAfterMsOf(NotFound("x")), 0);
  EXPECT_TRUE(Annotate(absl::OkStatus(), "context").ok());
  EXPECT_TRUE(WithRetryAfter(absl::OkStatus(), 5).ok());
}

TEST(Status, EveryReasonHasItsOwnNameAndRoundTrips) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorReason::kUnknownModel); ++i) {
    const auto reason = static_cast<ErrorReason>(i);
    EXPECT_FALSE(ErrorReasonName(reason).empty());
    names.insert(ErrorReasonName(reason));
    EXPECT_EQ(ReasonOf(MakeError(absl::StatusCode::kInternal, reason, "x")), reason);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorReason::kUnknownModel) + 1);
  EXPECT_EQ(ErrorReasonName(ErrorReason::kDuplicate), "duplicate");
  EXPECT_EQ(ErrorReasonName(ErrorReason::kUnknownModel), "unknown_model");
}

TEST(Status, TextNamesTheCode) {
  EXPECT_EQ(StatusText(absl::OkStatus()), "OK");
  EXPECT_EQ(StatusText(NotFound("no such session")), "NOT_FOUND: no such session");
}

TEST(Status, ErrnoSaysAttemptAndCause) {
  const absl::Status missing = ErrnoToStatus(ENOENT, "read 'x'");
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(Message(missing), "read 'x': No such file or directory");
  EXPECT_EQ(ReasonOf(ErrnoToStatus(ENOSPC, "write")), ErrorReason::kDiskFull);
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoToStatus(EDQUOT, "write")));
  EXPECT_EQ(ReasonOf(ErrnoToStatus(EROFS, "write")), ErrorReason::kReadOnly);
  EXPECT_TRUE(absl::IsPermissionDenied(ErrnoToStatus(EACCES, "write")));
}

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  TALON_RETURN_IF_ERROR(value < 0 ? InvalidArgument("negative") : absl::OkStatus());
  TALON_ASSIGN_OR_RETURN(const int half, Half(value));
  TALON_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(Status, MacrosReturnTheFirstError) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Message(Quarter(6).status()), "odd");
  EXPECT_EQ(Message(Quarter(-4).status()), "negative");
}

}  // namespace
}  // namespace talon
