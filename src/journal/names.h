// SPDX-License-Identifier: Apache-2.0
// The names under which the journal's enums are stored, and back. An unknown name is Internal: the
// database was written by something else. Any thread.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "journal/records.h"

namespace talon::journal {

std::string_view PriorityName(Priority priority);
std::string_view OutboxStateName(OutboxState state);
absl::StatusOr<TurnState> ParseTurnState(std::string_view name);
absl::StatusOr<StepKind> ParseStepKind(std::string_view name);
absl::StatusOr<EffectState> ParseEffectState(std::string_view name);
absl::StatusOr<ApprovalState> ParseApprovalState(std::string_view name);

}  // namespace talon::journal
