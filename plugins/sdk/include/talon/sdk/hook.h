// SPDX-License-Identifier: Apache-2.0
// Extension point: advice at named places of the loop (joinpoints). A plugin that also derives from
// Hook is asked at the joinpoints it lists, before the step goes on. It may let it pass, refuse it
// or put another value in its place; what it puts there is checked again.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

// The joinpoints there are, and what Moment::value holds.
inline constexpr std::string_view kInputReceived = "input.received";     // the person's text
inline constexpr std::string_view kToolBeforeCall = "tool.before_call";  // the arguments, as JSON
inline constexpr std::string_view kToolResultReceived =
    "tool.result.received";  // the result's text
inline constexpr std::string_view kResponseBeforeFinal = "response.before_final";  // the answer

struct HookSpec {
  std::vector<std::string> joinpoints;
  int priority = 0;  // rewrites apply from high to low
  // What the daemon does when the hook fails: false = the step is refused, true = it goes on.
  bool fail_open = false;
};

struct Moment {
  std::string joinpoint;
  std::string session_id, turn_id;
  Actor actor;
  std::string value;
  std::string tool;  // at tool.* joinpoints: "files__read"
};

struct Advice {
  enum class Verdict { kAllow, kBlock, kRewrite };
  Verdict verdict = Verdict::kAllow;
  std::string reason;              // of a refusal: for the person and the model
  std::string value;               // of a rewrite
  std::vector<std::string> notes;  // for the record

  static Advice Allow() { return {}; }
  static Advice Block(std::string reason) {
    return {.verdict = Verdict::kBlock, .reason = std::move(reason), .value = {}, .notes = {}};
  }
  static Advice Rewrite(std::string value) {
    return {.verdict = Verdict::kRewrite, .reason = {}, .value = std::move(value), .notes = {}};
  }
};

class Hook {
 public:
  explicit Hook(HookSpec spec) : hook_spec_(std::move(spec)) {}
  virtual ~Hook() = default;

  // Be quick: the turn waits. Several calls run at once.
  virtual absl::StatusOr<Advice> Advise(const Moment& moment, const CallInfo& call) = 0;

  const HookSpec& hook_spec() const { return hook_spec_; }

 private:
  const HookSpec hook_spec_;
};

}  // namespace talon::sdk
