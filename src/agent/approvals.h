// SPDX-License-Identifier: Apache-2.0
// Calls that wait for the person's word, and the grants that spare it. An approval is in the
// journal before anybody is asked, stands for the exact call by its digest, is answered once, and
// outlives the process: a turn that is taken up again finds it. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/agent.h"
#include "base/clock.h"
#include "base/ids.h"
#include "guard/effect_check.h"
#include "guard/grant.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "journal/journal.h"
#include "model/types.h"

namespace talon::agent {

struct Core;
struct TurnRun;
class TurnWriter;

// Brings a one-time code to the person by another way than the request. daemon/ supplies it.
class CodeChannel {
 public:
  virtual ~CodeChannel() = default;
  // Where it went, for people: "the file …", "the notification channel".
  virtual io::Task<absl::StatusOr<std::string>> Send(std::string approval, std::string code,
                                                     std::string what) = 0;
  // The code is of no use any more.
  virtual void Withdraw(const std::string& approval) = 0;
};

// The person's grants in memory, as the journal has them.
class Grants {
 public:
  Grants(journal::Journal& journal, const Clock& clock, IdSource& ids)
      : journal_(journal), clock_(clock), ids_(ids) {}
  // Before the first turn; without it nothing is granted.
  io::Task<absl::Status> Load();
  // InvalidArgument for a tool or globs that cannot be, or a time that is over.
  io::Task<absl::StatusOr<journal::GrantRecord>> Add(journal::GrantRecord grant);
  io::Task<absl::Status> Remove(std::string id, const Principal* owner);  // NotFound
  io::Task<absl::StatusOr<std::vector<journal::GrantRecord>>> List();
  const guard::Grant* Find(const Principal& principal, std::string_view tool,
                           std::string_view arguments) const;

 private:
  journal::Journal& journal_;
  const Clock& clock_;
  IdSource& ids_;
  std::vector<guard::Grant> grants_;
};

// A call that is asked about.
struct AskedCall {
  std::string call_id, tool, arguments;  // canonical
  const guard::Judgement* judgement = nullptr;
};

// Whether a call may run; else what to tell the model.
struct Permission {
  absl::Status refused;  // OK: it may
  bool granted() const { return refused.ok(); }
};

// Granted in advance, or approved now or before a restart; else denied, expired, or nobody was
// there to ask. An error: the turn must not go on.
io::Task<absl::StatusOr<Permission>> AskPermission(Core& core, TurnRun& run, TurnWriter& writer,
                                                   AskedCall call);

// Records an answer. FailedPrecondition when it is not open, PermissionDenied for a wrong code:
// after `max_code_tries` of them it is denied. The record as it is now.
io::Task<absl::StatusOr<journal::ApprovalRecord>> RecordApprovalAnswer(
    Core& core, journal::ApprovalRecord record, ApprovalAnswer answer);

// sha256 of the exact call.
std::string CallDigest(std::string_view tool, std::string_view arguments);

}  // namespace talon::agent
