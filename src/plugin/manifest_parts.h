// SPDX-License-Identifier: Apache-2.0
// The parts of a manifest besides its tools: extension points and needs. Internal to manifest.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "plugin/manifest.h"
#include "plugin/options.h"

namespace talon::v1 {
class Manifest;
}

namespace talon::plugin {

inline constexpr std::size_t kMaxToolName = 48;  // tasks have the same names

// [a-zA-Z0-9_-], 1 to `max_size`.
bool IsName(std::string_view name, std::size_t max_size);
// What a plugin says, within an error.
std::string Quoted(std::string_view text);
// For people and models: sanitised, cut to the limit.
std::string CleanDescription(const std::string& text, const HostOptions& options);

// Fills everything of `out` that is neither tools nor version; errors name the part and the rule.
// What `entry` says of tasks and routes is applied.
absl::Status ReadParts(const v1::Manifest& given, const PluginEntry& entry,
                       const HostOptions& options, Manifest& out);

}  // namespace talon::plugin
