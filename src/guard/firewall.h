// SPDX-License-Identifier: Apache-2.0
// Looks over what people write who are not the machine's owner, before it becomes a turn:
//   L4 length → L1 patterns → L2 the same on what is encoded in it → L3 too many symbols
// Patterns do not carry safety: what a turn may do is decided by its label. This keeps plain
// attacks and noise out, and says so. Rules are config/firewall/rules.yaml. Immutable, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "guard/firewall_options.h"

namespace talon::guard {

enum class ThreatLevel { kNone, kLow, kMedium, kHigh, kCritical };
std::string_view ThreatLevelName(ThreatLevel level);

struct Screening {
  ThreatLevel level = ThreatLevel::kNone;
  std::vector<std::string> detections;  // names of rules: "PROMPT_LEAK", "BASE64_PROMPT_LEAK", …
  std::string text;  // of what passes: without role marks, call syntax and invisible characters
  bool allowed() const { return level < ThreatLevel::kHigh; }
};

class Firewall {
 public:
  // Reads the built-in rules and `options.rules_file`. InvalidArgument names file, rule and cause.
  static absl::StatusOr<std::unique_ptr<Firewall>> Create(const FirewallOptions& options);
  ~Firewall();

  Screening Screen(std::string_view text) const;

 private:
  struct Rules;
  Firewall(FirewallOptions options, std::unique_ptr<Rules> rules);

  void Match(std::string_view text, std::string_view prefix, Screening& found) const;

  FirewallOptions options_;
  std::unique_ptr<Rules> rules_;
};

}  // namespace talon::guard
