// SPDX-License-Identifier: Apache-2.0
#include "agent/approvals.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/core.h"
#include "agent/session.h"
#include "agent/turn_writer.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"

namespace talon::agent {
namespace {

using journal::ApprovalRecord;
using journal::ApprovalState;

constexpr int kCodeDigits = 6;

// Evenly spread: 64 random bits over a million.
std::string NewCode() {
  std::uint64_t number = 0;
  const std::string hex = RandomHex(8);
  std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  return fmt::format("{:0{}}", number % 1'000'000, kCodeDigits);
}

std::string CodeHash(const std::string& approval, std::string_view code) {
  return HmacSha256Hex(approval, code);
}

Permission Refused(std::string_view why) {
  return {PermissionDenied(fmt::format("not executed: {}", why))};
}

// What the person said, for the model.
Permission Outcome(ApprovalState state, std::string_view reason) {
  switch (state) {
    case ApprovalState::kApproved:
      return {};
    case ApprovalState::kDenied:
      return Refused(
          fmt::format("the user was asked and denied this call ({}); do not try it again "
                      "unless they ask for it",
                      reason));
    case ApprovalState::kExpired:
    case ApprovalState::kOpen:
      break;
  }
  return Refused(fmt::format("the user was asked and did not answer in time ({})", reason));
}

// One call's way to the person's word.
class Asking {
 public:
  Asking(Core& core, TurnRun& run, TurnWriter& writer, AskedCall call)
      : core_(core),
        run_(run),
        writer_(writer),
        call_(std::move(call)),
        digest_(CallDigest(call_.tool, call_.arguments)) {}

  io::Task<absl::StatusOr<Permission>> Run() {
    TALON_CO_ASSIGN_OR_RETURN(const bool known, co_await FindEarlier());
    if (!known) {
      DescribeCall();
      if (!Waits()) {
        const ApprovalRequest missing{.record = record_, .code_at = ""};
        for (TurnObserver* observer : run_.observers) observer->OnApprovalMissing(missing);
        co_return Refused(
            fmt::format("it needs the user's approval, and nobody is there to ask: {}", reason()));
      }
      TALON_CO_ASSIGN_OR_RETURN(Permission begun, co_await Begin());
      if (!begun.granted()) co_return begun;
    }
    if (record_.state == ApprovalState::kOpen) {
      TALON_CO_RETURN_IF_ERROR(co_await Wait());
      TALON_CO_RETURN_IF_ERROR(co_await RecordEnd());
    }
    co_return Outcome(record_.state, record_.reason);
  }

 private:
  const std::string& reason() const { return call_.judgement->reason; }
  bool Waits() const { return run_.input.approvals == Approvals::kWait; }

  // What was asked about this very call before the process ended.
  io::Task<absl::StatusOr<bool>> FindEarlier() {
    if (!run_.recovered) co_return false;
    auto earlier = co_await core_.deps.journal.LoadApprovals(run_.turn);
    if (!earlier.ok()) {
      writer_.SetStoreFailed();
      co_return earlier.status();
    }
    for (ApprovalRecord& record : *earlier) {
      if (record.call_id != call_.call_id || record.digest != digest_) continue;
      record_ = std::move(record);
      co_return true;
    }
    co_return false;
  }

  void DescribeCall() {
    record_.turn = run_.turn;
    record_.session = run_.session;
    record_.call_id = call_.call_id;
    record_.tool = call_.tool;
    record_.arguments = call_.arguments;
    record_.digest = digest_;
    record_.judgement = DumpJson(guard::JudgementJson(*call_.judgement));
    record_.reason = reason();
    record_.factor = guard::FactorName(call_.judgement->factor);
    record_.principal = run_.principal;
  }

  io::Task<absl::StatusOr<Permission>> Begin() {
    record_.id = "apr_" + core_.deps.ids.Next();
    record_.created_at = core_.deps.clock.Now();
    record_.expires_at = record_.created_at + core_.options.approval_timeout;
    if (call_.judgement->factor == guard::Factor::kCode) {
      Permission sent = co_await SendCode();
      if (!sent.granted()) co_return sent;
    }
    writer_.AddApproval(record_);
    const absl::Status stored = co_await writer_.Flush();
    if (!stored.ok()) co_return stored;
    co_return Permission{};
  }

  io::Task<Permission> SendCode() {
    if (core_.deps.codes == nullptr) {
      co_return Refused("it needs a one-time code, and there is no channel to send one");
    }
    const std::string code = NewCode();
    record_.code_hash = CodeHash(record_.id, code);
    auto sent = co_await core_.deps.codes->Send(
        record_.id, code, fmt::format("{} {}", record_.tool, TruncateUtf8(record_.arguments, 500)));
    if (sent.ok()) {
      code_at_ = *sent;
      co_return Permission{};
    }
    log::Error("a one-time code could not be sent", {{"turn_id", run_.turn.str()},
                                                     {"tool", record_.tool},
                                                     {"status", StatusText(sent.status())}});
    co_return Refused("it needs a one-time code, and the code could not be sent");
  }

  // Ends with an answer in the journal, with time running out, or with the turn.
  io::Task<absl::Status> Wait() {
    const SteadyTime began = core_.deps.clock.SteadyNow();
    const auto open = run_.approvals[record_.id] = std::make_shared<io::OneShot<ApprovalState>>();
    const ApprovalRequest shown{.record = record_, .code_at = code_at_};
    for (TurnObserver* observer : run_.observers) observer->OnApproval(shown);
    const auto left = record_.expires_at - core_.deps.clock.Now();
    const io::TimerId timer = core_.deps.loop.CallAt(
        began + std::max<WallTime::duration>(left, WallTime::duration::zero()),
        [open] { open->Set(ApprovalState::kExpired); });
    const auto ended = run_.cancel.token().OnCancel([open] { open->Set(ApprovalState::kOpen); });
    record_.state = co_await open->Wait();
    core_.deps.loop.CancelTimer(timer);
    run_.approvals.erase(record_.id);
    // The person's time is not the turn's.
    run_.deadline += core_.deps.clock.SteadyNow() - began;
    if (record_.state == ApprovalState::kOpen) co_return run_.cancel.token().status();
    if (record_.state == ApprovalState::kExpired) co_return co_await Expire();
    co_return absl::OkStatus();
  }

  // Somebody may have answered in the last moment: then that holds.
  io::Task<absl::Status> Expire() {
    if (core_.deps.codes != nullptr) core_.deps.codes->Withdraw(record_.id);
    const absl::Status stored = co_await core_.deps.journal.AnswerApproval(record_);
    if (!absl::IsFailedPrecondition(stored)) co_return stored;
    auto now = co_await core_.deps.journal.LoadApproval(record_.id);
    if (!now.ok()) co_return now.status();
    record_ = *std::move(now);
    co_return absl::OkStatus();
  }

  io::Task<absl::Status> RecordEnd() {
    for (TurnObserver* observer : run_.observers) {
      observer->OnApprovalClosed(record_.id, record_.state);
    }
    writer_.AddStep(journal::StepKind::kApprovalAnswered,
                    DumpJson({{"approval", record_.id},
                              {"call_id", record_.call_id},
                              {"state", journal::ApprovalStateName(record_.state)}}));
    co_return co_await writer_.Flush();
  }

  Core& core_;
  TurnRun& run_;
  TurnWriter& writer_;
  const AskedCall call_;
  const std::string digest_;
  ApprovalRecord record_;
  std::string code_at_;
};

}  // namespace

std::string CallDigest(std::string_view tool, std::string_view arguments) {
  return Sha256Hex(fmt::format("{}\n{}", tool, arguments));
}

io::Task<absl::StatusOr<Permission>> AskPermission(Core& core, TurnRun& run, TurnWriter& writer,
                                                   AskedCall call) {
  if (const guard::Grant* grant =
          core.deps.grants == nullptr
              ? nullptr
              : core.deps.grants->Find(run.principal, call.tool, call.arguments)) {
    writer.AddStep(
        journal::StepKind::kApprovalAnswered,
        DumpJson({{"grant", grant->id}, {"call_id", call.call_id}, {"state", "approved"}}));
    co_return Permission{};
  }
  Asking asking(core, run, writer, std::move(call));
  co_return co_await asking.Run();
}

io::Task<absl::StatusOr<ApprovalRecord>> RecordApprovalAnswer(Core& core, ApprovalRecord record,
                                                              ApprovalAnswer answer) {
  if (record.state != ApprovalState::kOpen) {
    co_return FailedPrecondition(fmt::format("approval '{}' is {} already", record.id,
                                             journal::ApprovalStateName(record.state)));
  }
  if (record.expires_at <= core.deps.clock.Now()) {
    co_return FailedPrecondition(fmt::format("approval '{}' has expired", record.id));
  }
  const bool needs_code =
      answer.approve && record.factor == guard::FactorName(guard::Factor::kCode);
  const bool right =
      !needs_code || (!record.code_hash.empty() &&
                      ConstantTimeEquals(CodeHash(record.id, answer.code), record.code_hash));
  record.answered_by = answer.by;
  if (right) {
    record.state = answer.approve ? ApprovalState::kApproved : ApprovalState::kDenied;
  } else if (++record.tries >= core.options.max_code_tries) {
    record.state = ApprovalState::kDenied;
    --record.tries;  // as the row has it: it is this try that ends it
  }
  TALON_CO_RETURN_IF_ERROR(co_await core.deps.journal.AnswerApproval(record));
  const bool over = record.state != ApprovalState::kOpen;
  if (over && core.deps.codes != nullptr) core.deps.codes->Withdraw(record.id);
  log::Info("approval answered", {{"approval", record.id},
                                  {"turn_id", record.turn.str()},
                                  {"tool", record.tool},
                                  {"state", journal::ApprovalStateName(record.state)},
                                  {"by", answer.by}});
  if (right) co_return record;
  if (over) {
    // Those who wait must hear of it, so this is an answer.
    co_return record;
  }
  co_return PermissionDenied(fmt::format("wrong code; {} of {} tries are left",
                                         core.options.max_code_tries - record.tries,
                                         core.options.max_code_tries));
}

io::Task<absl::Status> Grants::Load() {
  TALON_CO_ASSIGN_OR_RETURN(const std::vector<journal::GrantRecord> records,
                            co_await journal_.ListGrants());
  grants_.clear();
  for (const journal::GrantRecord& record : records) {
    auto globs = guard::ParseGlobs(record.arguments);
    if (!globs.ok()) continue;
    grants_.push_back(
        {record.id, record.principal, record.tool, *std::move(globs), record.expires_at});
  }
  co_return absl::OkStatus();
}

io::Task<absl::StatusOr<journal::GrantRecord>> Grants::Add(journal::GrantRecord grant) {
  if (grant.tool.empty()) co_return InvalidArgument("tool: missing; a name or a glob of names");
  const absl::Status globs = guard::ParseGlobs(grant.arguments).status();
  if (!globs.ok()) co_return globs;
  grant.created_at = clock_.Now();
  if (grant.expires_at <= grant.created_at) co_return InvalidArgument("until: is over");
  grant.id = "gra_" + ids_.Next();
  TALON_CO_RETURN_IF_ERROR(co_await journal_.AddGrant(grant));
  TALON_CO_RETURN_IF_ERROR(co_await Load());
  co_return grant;
}

io::Task<absl::Status> Grants::Remove(std::string id, const Principal* owner) {
  auto all = co_await journal_.ListGrants();
  if (!all.ok()) co_return all.status();
  for (const journal::GrantRecord& grant : *all) {
    if (grant.id != id) continue;
    const bool own = owner == nullptr || (grant.principal.tenant == owner->tenant &&
                                          grant.principal.user == owner->user);
    if (!own) break;
    TALON_CO_RETURN_IF_ERROR(co_await journal_.RemoveGrant(id));
    co_return co_await Load();
  }
  co_return NotFound(fmt::format("no grant '{}'", id));
}

io::Task<absl::StatusOr<std::vector<journal::GrantRecord>>> Grants::List() {
  co_return co_await journal_.ListGrants();
}

const guard::Grant* Grants::Find(const Principal& principal, std::string_view tool,
                                 std::string_view arguments) const {
  if (grants_.empty()) return nullptr;
  const auto parsed = ParseJson(arguments, "arguments");
  return parsed.ok() ? guard::FindGrant(grants_, principal, tool, *parsed, clock_.Now()) : nullptr;
}

}  // namespace talon::agent
