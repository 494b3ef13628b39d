// SPDX-License-Identifier: Apache-2.0
// Where a turn asks for advice (hook/), and what becomes of it. Each refusal, rewrite, failure and
// note is a step of the turn. Nothing happens where nobody advises. Loop's thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/core.h"
#include "agent/session.h"
#include "agent/turn_writer.h"
#include "hook/hooks.h"
#include "io/task.h"
#include "model/types.h"

namespace talon::agent {

bool IsAdvised(const Core& core, hook::Joinpoint at);

// Asks, and records what matters. Only where IsAdvised().
io::Task<hook::Advice> Advise(Core& core, TurnRun& run, TurnWriter& writer, hook::Joinpoint at,
                              std::string tool, std::string value);

// The caller's texts and instructions; with `begun` the texts are in the session already and only
// the instructions are asked of. A rewritten text counts as trusted, not as the person's own words.
// PermissionDenied when the turn must not go on.
io::Task<absl::Status> AdviseInput(Core& core, TurnRun& run, TurnWriter& writer, bool begun);

// The text of the model's answer. PermissionDenied when nobody may see it.
io::Task<absl::Status> AdviseResponse(Core& core, TurnRun& run, TurnWriter& writer,
                                      model::Message& message);

}  // namespace talon::agent
