// SPDX-License-Identifier: Apache-2.0
// What a plugin is and offers, checked. It is known from a file or from an earlier run, so that an
// idle plugin need not run; when the process does run, what it says must be the same. Pure, any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/options.h"
#include "tool/tool.h"

namespace talon::plugin {

// What a plugin needs from its sandbox; nothing is granted that is not named here.
struct Needs {
  using Network = NetworkAccess;
  using Access = FileAccess;
  Network network = Network::kNone;
  Access workspace = Access::kNone;
  std::vector<std::string> read_paths, write_paths;  // absolute, normal
  std::vector<std::string> credentials;              // names it would like
  std::uint64_t memory_bytes = 0;                    // 0 = the default
  std::uint32_t processes = 0;                       // 0 = the default
};

struct Manifest {
  struct Tool {
    std::string name;      // as the plugin knows it
    tool::ToolSpec spec;   // as the catalogue knows it
    bool streams = false;  // is called by ExecuteStream
    bool asks = false;     // is called by Converse; beats `streams`
  };
  // The extension points, each set when the plugin serves it; proto/talon/v1/extension.proto says
  // what the members mean. Defaults are filled in.
  struct Auth {
    std::vector<std::string> schemes;  // lower case
  };
  struct Storage {
    std::uint64_t max_value_bytes = 0;
    bool compare_and_set = false;
    bool ttl = false;
  };
  struct Notify {
    std::uint32_t max_text_bytes = 0;  // 0 = no limit
    bool recipients = false;
  };
  struct Task {
    std::string name, description;
    bool enabled = true;                 // unless the configuration says otherwise
    std::chrono::milliseconds every{0};  // the configuration's, where it has one
    bool at_start = false;
    std::chrono::milliseconds timeout{0};
  };
  struct Hook {
    std::vector<std::string> joinpoints;
    int priority = 0;
    bool fail_open = false;
  };
  struct Route {
    std::string method;      // "GET" … or "*"
    std::string path;        // a path that ends in "/" takes everything below it
    bool is_public = false;  // without the token: wished by the plugin and exposed by its entry
    std::string description;
  };
  struct Model {
    std::string id;
    std::int64_t context_window = 0, max_output_tokens = 0;  // 0 = not known
    bool tools = false, images = false;
  };

  std::string version, description;
  std::vector<Tool> tools;
  std::optional<Auth> auth;
  std::optional<Storage> storage;
  std::optional<Notify> notify;
  std::vector<Task> tasks;
  std::optional<Hook> hook;
  std::optional<std::vector<Route>> http;
  std::optional<std::vector<Model>> models;  // empty: any id is taken
  Needs needs;
  bool dynamic = false;  // tools depend on the configuration: Describe again after Configure
  bool watch = false;    // serves Watch
  std::string bytes;     // serialised; equal manifests have equal bytes
};

// A name the configuration may give a plugin: [a-zA-Z0-9_-], at most 32, no "__", not "talon".
absl::Status CheckPluginName(std::string_view name);

// Reads protobuf's JSON mapping / the serialised message. Tools are named `<plugin>__<tool>`; an
// unspecified effect is exec; `entry.timeout` beats the tool's. Descriptions are sanitised. Errors
// name the tool or the extension point and the rule. A plugin whose version of the contract does
// not meet this daemon's is refused with both versions and the cure.
absl::StatusOr<Manifest> ParseManifestJson(std::string_view json, std::string_view plugin,
                                           const PluginEntry& entry, const HostOptions& options);
absl::StatusOr<Manifest> ParseManifestBytes(std::string_view bytes, std::string_view plugin,
                                            const PluginEntry& entry, const HostOptions& options);

// SHA-256 of the effects and needs it declares. Tools of a dynamic plugin are left out.
std::string DeclaredDigest(const Manifest& manifest);

// For the cache; ParseManifestJson reads it back.
absl::StatusOr<std::string> ManifestToJson(const Manifest& manifest);

// Whether two manifests of one plugin differ in their tools at most.
bool SameButTools(const Manifest& a, const Manifest& b);

// What changed between two manifests of one plugin, for people; empty when nothing did.
std::string DescribeChange(const Manifest& known, const Manifest& now);

}  // namespace talon::plugin
