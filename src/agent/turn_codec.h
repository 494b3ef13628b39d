// SPDX-License-Identifier: Apache-2.0
// Turn inputs, answers and errors as JSON text for the journal. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/agent.h"

namespace talon::agent {

std::string EncodeInput(const TurnInput& input);
absl::StatusOr<TurnInput> DecodeInput(std::string_view json);

std::string EncodeAnswer(const TurnAnswer& answer);
absl::StatusOr<TurnAnswer> DecodeAnswer(std::string_view json);

// {"code":…,"reason":…,"message":…,"retry_after_ms":…}; keeps what callers branch on.
std::string EncodeError(const absl::Status& error);
absl::Status DecodeError(std::string_view json);

}  // namespace talon::agent
