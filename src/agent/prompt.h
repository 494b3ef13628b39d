// SPDX-License-Identifier: Apache-2.0
// The prompt texts: files of config/prompts/, embedded at build time, replaced by files of the same
// name in `orchestrator.prompts_dir`. Any thread once created.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::agent {

class PromptBook {
 public:
  // Reads the replacements; an unknown file name there is an error that lists the known ones.
  static absl::StatusOr<PromptBook> Load(const std::string& prompts_dir);

  // The text of "system", "safety", …; without the trailing newline.
  const std::string& Get(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> texts_;
};

// What a system prompt is made of, in this order, the most stable first.
struct SystemPromptParts {
  std::string date;                     // "2026-01-31"
  std::vector<std::string> rules;       // orchestrator.rules
  std::vector<std::string> tool_lines;  // "name: what it does" of tools not shown in full
  std::string instructions;             // of the caller
};

std::string BuildSystemPrompt(const PromptBook& prompts, const SystemPromptParts& parts);

}  // namespace talon::agent
