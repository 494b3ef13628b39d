// SPDX-License-Identifier: Apache-2.0
// Judges a call by the effect policy: for each part of each sink argument, where it came from and
// whether the policy takes it from there. Deterministic, no I/O; what cannot be decided is asked.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/label.h"
#include "guard/policy.h"
#include "guard/provenance.h"
#include "tool/tool.h"

namespace talon::guard {

struct PartFinding {
  std::string what;  // "host", "path", "address" …
  std::string text;  // as in the call, cut to be shown
  Source source = Source::kModel;
  // Names of items, earliest first. Not told of a piece so short that it stands in any text, unless
  // somebody vouches for it.
  std::vector<std::string> found_in;
};

struct SinkFinding {
  std::string argument;  // "to[0]"; empty: a call without sink arguments
  SinkKind kind = SinkKind::kValue;
  std::string value;  // cut to be shown
  Answer answer = Answer::kAsk;
  Factor factor = Factor::kClick;
  std::string rule, rule_at;
  std::string why;  // for people and the model, where the answer is not allow
  std::vector<PartFinding> parts;
};

struct Judgement {
  Answer answer = Answer::kAllow;
  Factor factor = Factor::kNone;
  std::string reason;  // of the strictest sink; empty when allowed
  bool clean = true;   // nothing from outside was in the conversation
  std::vector<SinkFinding> findings;
  // What made the conversation untrusted, the latest first; told where the answer is not allow.
  std::vector<std::string> outside;
};

struct Circumstances {
  const Policy& policy;
  const tool::ToolSpec& spec;
  const Origins& provenance;
  Label context;               // join of everything in the model's context
  std::string_view workspace;  // the agent's folder; paths in it are meant relative to it
};

// `arguments`: the call's, an object.
Judgement JudgeCall(const Circumstances& circumstances, const Json& arguments);

// For approvals, the journal and `talon policy explain`.
Json JudgementJson(const Judgement& judgement);

}  // namespace talon::guard
