// SPDX-License-Identifier: Apache-2.0
// What a plugin is and offers, checked. It is known from a file or from an earlier run, so that an
// idle plugin need not run; when the process does run, what it says must be the same. Pure, any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/options.h"
#include "tool/tool.h"

namespace talon::plugin {

struct Manifest {
  struct Tool {
    std::string name;     // as the plugin knows it
    tool::ToolSpec spec;  // as the catalogue knows it
  };
  std::string version, description;
  std::vector<Tool> tools;
  std::string bytes;  // serialised; equal manifests have equal bytes
};

// A name the configuration may give a plugin: [a-zA-Z0-9_-], at most 32, no "__", not "talon".
absl::Status CheckPluginName(std::string_view name);

// Reads protobuf's JSON mapping / the serialised message. Tools are named `<plugin>__<tool>`; an
// unspecified effect is exec; `entry.timeout` beats the tool's. Descriptions are sanitised. Errors
// name the tool and the rule.
absl::StatusOr<Manifest> ParseManifestJson(std::string_view json, std::string_view plugin,
                                           const PluginEntry& entry, const HostOptions& options);
absl::StatusOr<Manifest> ParseManifestBytes(std::string_view bytes, std::string_view plugin,
                                            const PluginEntry& entry, const HostOptions& options);

// For the cache; ParseManifestJson reads it back.
absl::StatusOr<std::string> ManifestToJson(const Manifest& manifest);

// What changed between two manifests of one plugin, for people; empty when nothing did.
std::string DescribeChange(const Manifest& known, const Manifest& now);

}  // namespace talon::plugin
