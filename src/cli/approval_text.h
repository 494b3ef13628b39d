// SPDX-License-Identifier: Apache-2.0
// An approval and a judgement of the policy as a person reads them. Pure; any thread.
#pragma once

#include <string>

#include "base/json.h"

namespace talon::cli {

// What the call is, why it is asked, and where each value came from, line by line.
std::string ApprovalText(const Json& approval);
// "sinks" of a judgement: argument, value, verdict, rule, parts with their sources.
std::string JudgementText(const Json& judgement);
// The approval as a question of question_form.h: yes or no, or a code.
Json ApprovalQuestion(const Json& approval);

}  // namespace talon::cli
