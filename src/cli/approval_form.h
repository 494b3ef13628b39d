// SPDX-License-Identifier: Apache-2.0
// An approval as a person at a terminal is asked for it: the call and its reasons, then one line.
// Blocking, by the lines it is given; any thread.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/question_form.h"

namespace talon::cli {

struct ApprovalAnswer {
  enum class Word { kDeny, kOnce, kAlways };
  Word word = Word::kDeny;
  std::string code;  // where the approval needs one
};

// `approval`: the data of an "approval" event. Only what says yes or no is taken, anything else is
// asked again; no line denies. `kAlways` only where GrantFor() has a grant, which was shown.
ApprovalAnswer AskApproval(const Json& approval, const ReadLine& read, const ShowText& show);

}  // namespace talon::cli
