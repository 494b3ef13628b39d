// SPDX-License-Identifier: Apache-2.0
// Keeps a session's provenance (guard/provenance.h) up with its messages. Loop's thread.
#pragma once

#include "agent/core.h"
#include "agent/session.h"

namespace talon::agent {

// The session's provenance with every message so far, and the words of the running turn.
const guard::Provenance& OriginsOf(const Core& core, Session& session, const TurnRun& run);

}  // namespace talon::agent
