// SPDX-License-Identifier: Apache-2.0
// What a model is asked: system prompt, tools, and as much of the session as fits its window.
// Loop's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/core.h"
#include "agent/session.h"
#include "journal/records.h"
#include "model/types.h"
#include "router/router.h"

namespace talon::agent {

// How this request differs from the turn's others.
struct RequestShape {
  bool first = true;   // of the turn: only then a "required" tool call is asked for
  bool force = false;  // the answer must be text
  std::string nudge;   // a word to the model about its last answer; not kept in the session
  std::optional<std::int64_t> message_limit;  // tokens, below what the window leaves
};

struct BuiltRequest {
  model::ChatRequest request;
  std::int64_t message_tokens = 0;  // estimated
  std::int64_t tokens = 0;          // of the whole request, estimated
  journal::PromptSnapshot snapshot;
  // What was cut, whole; to be stored with or before the request, which names them.
  std::vector<journal::ArtifactRecord> artifacts;
  std::size_t cut_user_bytes = 0;  // of the person's own message, when it was cut
};

BuiltRequest BuildRequest(Core& core, const Session& session, const TurnInput& input,
                          const router::Route& route, const RequestShape& shape);

}  // namespace talon::agent
