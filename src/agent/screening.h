// SPDX-License-Identifier: Apache-2.0
// The firewall before a turn: what somebody wrote who is not the owner. Recorded as a step, told to
// the sender. Loop's thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/core.h"
#include "agent/session.h"
#include "agent/turn_writer.h"

namespace talon::agent {

// Whether the turn's messages are not the owner's own: untrusted, or of another user.
bool IsScreened(const Core& core, const TurnRun& run);

// PermissionDenied with the names of the rules when a message is refused. What passes is made
// harmless in place; when a rule speaks against it, `*remark` is what to tell the sender.
absl::Status ScreenInput(Core& core, TurnRun& run, TurnWriter& writer, std::string* remark);

}  // namespace talon::agent
