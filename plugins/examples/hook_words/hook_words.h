// SPDX-License-Identifier: Apache-2.0
// Watches texts for words: masks them with asterisks, or refuses the step. Words match whole and in
// any case. Looks at what people say, what tools are called with and give back, and what the model
// answers.
#pragma once

#include <string>
#include <vector>

#include "talon/sdk/hook.h"
#include "talon/sdk/plugin.h"

namespace talon::examples {

class HookWords : public sdk::Plugin, public sdk::Hook {
 public:
  HookWords();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;
  absl::StatusOr<sdk::Advice> Advise(const sdk::Moment& moment, const sdk::CallInfo& call) override;

 private:
  std::vector<std::string> masked_, refused_;  // lower case
};

}  // namespace talon::examples
