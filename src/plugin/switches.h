// SPDX-License-Identifier: Apache-2.0
// Plugins that the operator switched off by command: <home>/plugins/switches.json. Kept beside the
// configuration, which nobody but a person edits; both must agree for a plugin to run. Blocks; run
// it on a worker.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::plugin {

inline constexpr std::string_view kSwitchesFile = "switches.json";

// Names of those that are off. Nothing when there is no file; an error, with the cure, when it
// cannot be read: then nobody knows what may run.
absl::StatusOr<std::set<std::string>> ReadSwitches(const std::string& path);
absl::Status WriteSwitches(const std::string& path, const std::set<std::string>& off);

}  // namespace talon::plugin
