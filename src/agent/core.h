// SPDX-License-Identifier: Apache-2.0
// What the parts of the agent share. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "agent/agent.h"
#include "agent/options.h"
#include "agent/prompt.h"
#include "model/tokens.h"
#include "model/types.h"

namespace talon::agent {

// The prompt that was snapshot last: most model calls repeat it.
struct LastPrompt {
  std::string system;
  std::vector<model::ToolDefinition> tools;
  std::string hash;
};

struct Core {
  OrchestratorOptions options;
  Dependencies deps;
  PromptBook prompts;
  model::TokenEstimator tokens;
  // Hashes of prompt snapshots this process has handed to the journal.
  std::unordered_set<std::string> stored_snapshots;
  LastPrompt last_prompt;
};

}  // namespace talon::agent
