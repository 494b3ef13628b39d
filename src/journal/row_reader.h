// SPDX-License-Identifier: Apache-2.0
// Rows of the statements in store/sqlite/journal_read.sql as records. Internal when a stored name
// is not one of ours. Any thread.
#pragma once

#include "absl/status/statusor.h"
#include "journal/records.h"
#include "store/store.h"

namespace talon::journal {

absl::StatusOr<TurnRecord> ReadTurn(const store::Row& row);
absl::StatusOr<StepRecord> ReadStep(const store::Row& row, const TurnId& turn);
absl::StatusOr<EffectRecord> ReadEffect(const store::Row& row, const TurnId& turn);
SessionRecord ReadSession(const store::Row& row);
MessageRecord ReadMessage(const store::Row& row, const SessionId& session);
OutboxRecord ReadOutbox(const store::Row& row);

absl::StatusOr<ApprovalRecord> ReadApproval(const store::Row& row);
GrantRecord ReadGrant(const store::Row& row);
absl::StatusOr<TimerRecord> ReadTimer(const store::Row& row);

}  // namespace talon::journal
