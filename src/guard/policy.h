// SPDX-License-Identifier: Apache-2.0
// The effect policy: which calls run unasked, which need the person's approval and which are
// refused. Data, read from config/policy.yaml (built in) and a file of the operator's. Immutable
// once read; any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tool/tool.h"

namespace talon::guard {

// What a sink argument says: where an effect goes.
enum class SinkKind { kRecipient, kUrl, kPath, kCommand, kAmount, kValue };
std::string_view SinkKindName(SinkKind kind);

// Where a value may come from, in the words of the policy.
enum class Source {
  kUser,      // the person's own words
  kOperator,  // configuration, the calling program's instructions
  kTrusted,   // results of trusted tools
  kList,      // the policy's own lists
  kFolder,    // a path in a folder that the person named
  kModel,     // found nowhere: the model made it
  kUntrusted  // found in what came from outside, and nowhere better
};
std::string_view SourceName(Source source);

enum class Answer { kAllow, kAsk, kRefuse };  // a later one is stricter
std::string_view AnswerName(Answer answer);

// How an approval is given: not needed, by an authenticated answer, by a one-time code as well.
enum class Factor { kNone, kClick, kCode };  // a later one is stricter
std::string_view FactorName(Factor factor);
absl::StatusOr<Factor> ParseFactor(std::string_view name);

struct PolicyRule {
  std::string name;
  std::string at;                          // "policy.yaml:12"
  std::vector<std::string> tools;          // globs; empty: every tool
  std::vector<tool::EffectClass> effects;  // empty: every class
  std::vector<SinkKind> sinks;             // empty: every kind
  bool no_sink = false;                    // also for calls without sink arguments
  std::optional<bool> read_only;           // of the tool
  // With nothing from outside in the conversation.
  Answer clean = Answer::kAllow;
  // With something from outside: allowed when each part of the value is from one of these …
  std::vector<Source> from;
  // … and, if so, the person's words of this turn ask for such an effect; else this.
  bool asked_for = false;
  Answer otherwise = Answer::kAsk;
  Factor factor = Factor::kClick;
};

struct PolicyLists {
  std::vector<std::string> hosts;       // "example.com", "*.example.com"
  std::vector<std::string> recipients;  // "alice@example.com", "*@example.com"
  std::vector<std::string> paths;       // "reports/*"
  std::vector<std::string> commands;    // in full, no globs: "make test"
};

struct Policy {
  std::vector<PolicyRule> rules;  // the first that fits a sink decides
  PolicyLists lists;
  std::vector<std::string> trusted_tools;                      // globs
  std::map<tool::EffectClass, std::vector<std::string>> asks;  // words that ask for an effect
  std::map<std::string, SinkKind, std::less<>> arguments;      // kinds by argument name

  SinkKind KindOf(std::string_view argument) const;
  bool Trusts(std::string_view tool) const;
};

// The built-in policy.
const std::string& DefaultPolicyText();
std::shared_ptr<const Policy> DefaultPolicy();

// The built-in policy with `text` (named `file` in errors) over it: its rules come first, its lists
// and words are added; `defaults: false` leaves the built-in rules out. Every problem is reported
// at once, a line each: "policy.yaml:7: rules[0].from[1]: …".
absl::StatusOr<std::shared_ptr<const Policy>> ParsePolicy(std::string_view text,
                                                          std::string_view file);
absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path);

}  // namespace talon::guard
