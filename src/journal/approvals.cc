// SPDX-License-Identifier: Apache-2.0
// Approvals and grants of the journal.
#include <fmt/core.h>

#include <utility>

#include "base/status.h"
#include "journal/journal.h"
#include "journal/row_reader.h"
#include "store/store.h"

namespace talon::journal {
namespace {

using store::Value;

absl::StatusOr<std::vector<ApprovalRecord>> ReadApprovals(const absl::StatusOr<store::Rows>& rows) {
  if (!rows.ok()) return Annotate(rows.status(), "journal");
  std::vector<ApprovalRecord> records;
  for (const store::Row& row : *rows) {
    TALON_ASSIGN_OR_RETURN(ApprovalRecord record, ReadApproval(row));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

io::Task<absl::Status> Journal::AnswerApproval(ApprovalRecord approval) {
  const std::string attempt = fmt::format("journal: answer approval '{}'", approval.id);
  store::Batch batch;
  batch.push_back({"answer_approval",
                   {approval.id, std::string(ApprovalStateName(approval.state)), approval.tries,
                    approval.answered_by, clock_.Now().time_since_epoch().count()},
                   /*expect_change=*/true});
  const absl::Status stored = co_await store_.Commit(std::move(batch));
  if (ReasonOf(stored) == ErrorReason::kDuplicate) {
    co_return FailedPrecondition(attempt + ": it is not open any more");
  }
  co_return stored.ok() ? stored : Annotate(stored, attempt);
}

io::Task<absl::StatusOr<ApprovalRecord>> Journal::LoadApproval(std::string id) {
  std::vector<Value> params{id};
  const auto rows = co_await store_.Read("load_approval", std::move(params));
  if (!rows.ok()) co_return rows.status();
  if (rows->empty()) co_return NotFound(fmt::format("no approval '{}'", id));
  co_return ReadApproval(rows->front());
}

io::Task<absl::StatusOr<std::vector<ApprovalRecord>>> Journal::LoadApprovals(TurnId turn) {
  std::vector<Value> params{turn.str()};
  co_return ReadApprovals(co_await store_.Read("load_turn_approvals", std::move(params)));
}

io::Task<absl::StatusOr<std::vector<ApprovalRecord>>> Journal::ListApprovals(const Principal* owner,
                                                                             Which which,
                                                                             std::int64_t limit) {
  std::vector<Value> params{owner == nullptr ? std::string() : owner->tenant,
                            owner == nullptr ? std::string() : owner->user,
                            std::int64_t{which == Which::kOpen}, limit};
  co_return ReadApprovals(co_await store_.Read("list_approvals", std::move(params)));
}

io::Task<absl::Status> Journal::AddGrant(GrantRecord grant) {
  store::Batch batch;
  batch.push_back({"insert_grant",
                   {grant.id, grant.principal.tenant, grant.principal.user, grant.principal.agent,
                    grant.tool, grant.arguments, grant.expires_at.time_since_epoch().count(),
                    grant.created_at.time_since_epoch().count(), grant.created_by},
                   /*expect_change=*/true});
  co_return co_await store_.Commit(std::move(batch));
}

io::Task<absl::Status> Journal::RemoveGrant(std::string id) {
  store::Batch batch;
  batch.push_back({"delete_grant", {id}, /*expect_change=*/true});
  const absl::Status stored = co_await store_.Commit(std::move(batch));
  if (ReasonOf(stored) == ErrorReason::kDuplicate) {
    co_return NotFound(fmt::format("no grant '{}'", id));
  }
  co_return stored;
}

io::Task<absl::StatusOr<std::vector<GrantRecord>>> Journal::ListGrants() {
  const auto rows = co_await store_.Read("list_grants", {});
  if (!rows.ok()) co_return Annotate(rows.status(), "journal");
  std::vector<GrantRecord> grants;
  for (const store::Row& row : *rows) grants.push_back(ReadGrant(row));
  co_return grants;
}

}  // namespace talon::journal
