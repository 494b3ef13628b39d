// SPDX-License-Identifier: Apache-2.0
// The one answer type of guards, hooks and scripts. First block wins; a later stage may only
// narrow.
#pragma once

#include <string>
#include <vector>

namespace talon::hook {

enum class Verdict { kAllow, kBlock, kRewrite, kAsk };

struct Decision {
  Verdict verdict = Verdict::kAllow;
  std::string reason;  // for block and ask: for the model and the person
  std::string value;   // for rewrite
  std::vector<std::string> notes;
};

}  // namespace talon::hook
