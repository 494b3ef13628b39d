// SPDX-License-Identifier: Apache-2.0
// What the parts of the agent share. Loop's thread.
#pragma once

#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/options.h"
#include "agent/prompt.h"
#include "agent/quarantine.h"
#include "journal/records.h"
#include "model/tokens.h"
#include "model/types.h"

namespace talon::agent {

// The fixed part of the last prompt and its snapshot: most prompts differ in their messages only.
struct LastPrompt {
  std::string system;
  std::vector<model::ToolDefinition> tools;
  journal::PromptSnapshot snapshot;
};

struct Core {
  OrchestratorOptions options;
  Dependencies deps;
  PromptBook prompts;
  model::TokenEstimator tokens;
  LastPrompt last_prompt;
  Quarantine quarantine;
};

}  // namespace talon::agent
