// SPDX-License-Identifier: Apache-2.0
// Which tools a request may mean. A request names its tool at its beginning: by the action in the
// tool's name or a word from config/prompts/reflex_synonyms.txt. Words anywhere else only order
// what that admits, so a sentence that mentions a tool does not call it. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/reflex/texts.h"
#include "model/types.h"

namespace talon::model::reflex {

struct Candidate {
  const ToolDefinition* tool = nullptr;
  double score = 0;       // overlap of words, rare ones weigh more
  std::string_view head;  // the words that admitted it
  std::string_view rest;  // what follows them
};

// Best first; empty when no tool is named. `request` must outlive the result.
std::vector<Candidate> RankTools(const Texts& texts, const std::vector<ToolDefinition>& tools,
                                 std::string_view request);

// Those of `words` that say something the tool's name, description and parameters do not.
Words UnknownWords(const Texts& texts, const ToolDefinition& tool, const Words& words);

}  // namespace talon::model::reflex
