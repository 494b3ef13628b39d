// SPDX-License-Identifier: Apache-2.0
// A model that answers by rules: the first whose words are in what the person said last decides
// what is said and which tool is called. After a tool call it tells the result. Good for trying out
// tools, hooks and approvals without a network, again and again with the same outcome.
#pragma once

#include <string>
#include <vector>

#include "talon/sdk/model.h"
#include "talon/sdk/plugin.h"

namespace talon::examples {

class ModelRules : public sdk::Plugin, public sdk::ModelProvider {
 public:
  ModelRules();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;
  absl::StatusOr<sdk::ChatAnswer> Complete(const sdk::ChatRequest& request,
                                           const sdk::CallInfo& call, sdk::ChatSink& sink) override;

 private:
  struct Rule {
    std::string when;            // part of the text, in any case
    std::string say;             // may be empty
    std::string tool;            // as the daemon names it; may be empty
    std::string arguments_json;  // of the tool
  };
  const Rule* Find(const std::string& text) const;

  std::vector<Rule> rules_;
};

}  // namespace talon::examples
