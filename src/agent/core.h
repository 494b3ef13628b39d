// SPDX-License-Identifier: Apache-2.0
// What the parts of the agent share. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "agent/agent.h"
#include "agent/options.h"
#include "agent/prompt.h"
#include "model/tokens.h"

namespace talon::agent {

struct Core {
  OrchestratorOptions options;
  Dependencies deps;
  PromptBook prompts;
  model::TokenEstimator tokens;
  // Hashes of prompt snapshots this process has handed to the journal.
  std::unordered_set<std::string> stored_snapshots;
};

}  // namespace talon::agent
