// SPDX-License-Identifier: Apache-2.0
// `sandbox:` of a plugin's entry and of `plugin_host`. docs/plugins/sandbox.md tells the rule by
// which manifest and entry meet.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/option.h"

namespace talon::plugin {

enum class NetworkAccess { kNone, kOutbound };
enum class FileAccess { kNone, kRead, kWrite };
enum class SandboxProfile { kDefault, kStrict, kNone };
constexpr auto EnumNames(NetworkAccess) {
  return std::array{std::pair{std::string_view("none"), NetworkAccess::kNone},
                    std::pair{std::string_view("outbound"), NetworkAccess::kOutbound}};
}
constexpr auto EnumNames(FileAccess) {
  return std::array{std::pair{std::string_view("none"), FileAccess::kNone},
                    std::pair{std::string_view("read"), FileAccess::kRead},
                    std::pair{std::string_view("write"), FileAccess::kWrite}};
}
constexpr auto EnumNames(SandboxProfile) {
  return std::array{std::pair{std::string_view("default"), SandboxProfile::kDefault},
                    std::pair{std::string_view("strict"), SandboxProfile::kStrict},
                    std::pair{std::string_view("none"), SandboxProfile::kNone}};
}

// The same with "not said here".
enum class ProfileChoice { kInherit, kDefault, kStrict, kNone };
enum class RequireChoice { kInherit, kTrue, kFalse };
enum class NetworkChoice { kManifest, kNone, kOutbound };
enum class FileChoice { kManifest, kNone, kRead, kWrite };
constexpr auto EnumNames(ProfileChoice) {
  return std::array{std::pair{std::string_view("inherit"), ProfileChoice::kInherit},
                    std::pair{std::string_view("default"), ProfileChoice::kDefault},
                    std::pair{std::string_view("strict"), ProfileChoice::kStrict},
                    std::pair{std::string_view("none"), ProfileChoice::kNone}};
}
constexpr auto EnumNames(RequireChoice) {
  return std::array{std::pair{std::string_view("inherit"), RequireChoice::kInherit},
                    std::pair{std::string_view("true"), RequireChoice::kTrue},
                    std::pair{std::string_view("false"), RequireChoice::kFalse}};
}
constexpr auto EnumNames(NetworkChoice) {
  return std::array{std::pair{std::string_view("manifest"), NetworkChoice::kManifest},
                    std::pair{std::string_view("none"), NetworkChoice::kNone},
                    std::pair{std::string_view("outbound"), NetworkChoice::kOutbound}};
}
constexpr auto EnumNames(FileChoice) {
  return std::array{std::pair{std::string_view("manifest"), FileChoice::kManifest},
                    std::pair{std::string_view("none"), FileChoice::kNone},
                    std::pair{std::string_view("read"), FileChoice::kRead},
                    std::pair{std::string_view("write"), FileChoice::kWrite}};
}

template <class Enum>
constexpr std::string_view NameOf(Enum value) {
  for (const auto& [name, each] : EnumNames(Enum{})) {
    if (each == value) return name;
  }
  return "";
}

struct SandboxOptions {
  ProfileChoice profile = ProfileChoice::kInherit;
  RequireChoice require = RequireChoice::kInherit;
  NetworkChoice network = NetworkChoice::kManifest;
  FileChoice workspace = FileChoice::kManifest;
  Bytes memory{0};
  std::uint32_t processes = 0;
  Bytes disk{0};
  std::vector<std::string> read_paths, write_paths;

  bool operator==(const SandboxOptions&) const = default;
  static constexpr auto Fields() {
    using O = SandboxOptions;
    return std::make_tuple(
        Option("profile", &O::profile, "default, strict, none, or inherit: `plugin_host.sandbox`."),
        Option("require", &O::require,
               "Whether a layer that this machine lacks refuses the start: true, false, inherit."),
        Option("network", &O::network, "none, outbound, or manifest: what its manifest asks for."),
        Option("workspace", &O::workspace,
               "The agent's folder: none, read, write, or manifest: what its manifest asks for."),
        Option("memory", &O::memory, "Most memory; 0 = what its manifest asks for."),
        Option("processes", &O::processes,
               "Most processes, threads counted; 0 = what its manifest asks for."),
        Option("disk", &O::disk,
               "Most its own folders hold; 0 = `plugin_host.sandbox.disk`. It is ended above."),
        Option("read_paths", &O::read_paths, "Absolute paths it may read and execute."),
        Option("write_paths", &O::write_paths, "Absolute paths it may change."));
  }
};

struct SandboxDefaults {
  SandboxProfile profile = SandboxProfile::kDefault;
  bool require = false;
  NetworkAccess network = NetworkAccess::kOutbound;
  FileAccess workspace = FileAccess::kWrite;
  Bytes memory{256u << 20};
  Bytes max_memory{1u << 30};
  std::uint32_t processes = 64;
  std::uint32_t max_processes = 256;
  std::uint32_t cpu_percent = 200;
  Bytes max_file{64u << 20};
  Bytes disk{1u << 30};
  Bytes min_free{256u << 20};
  std::uint32_t max_open_files = 256;
  std::uint32_t first_uid = 1'879'100'000;
  std::uint32_t uids = 1000;

  static constexpr auto Fields() {
    using O = SandboxDefaults;
    return std::make_tuple(
        Option("profile", &O::profile, "Of plugins that say nothing: default, strict or none."),
        Option("require", &O::require,
               "Whether a layer that this machine lacks refuses a plugin's start."),
        Option("network", &O::network, "The most a manifest gets by asking: none or outbound."),
        Option("workspace", &O::workspace,
               "The most a manifest gets by asking: none, read or write."),
        Option("memory", &O::memory, "Of plugins whose manifest says nothing."),
        Option("max_memory", &O::max_memory, "The most a manifest gets by asking."),
        Option("processes", &O::processes, "Of plugins whose manifest says nothing."),
        Option("max_processes", &O::max_processes, "The most a manifest gets by asking."),
        Option("cpu_percent", &O::cpu_percent,
               "Of one processor, where there are control groups; 0 = no limit."),
        Option("max_file", &O::max_file, "Largest file a plugin may write."),
        Option("disk", &O::disk, "Most a plugin's own folders hold; it is ended above."),
        Option("min_free", &O::min_free,
               "A plugin that writes while its disk has less left than this, or less than a 20th, "
               "is ended; 0 = never."),
        Option("max_open_files", &O::max_open_files, "Of each process of a plugin."),
        Option("first_uid", &O::first_uid,
               "First of the users that plugins run as when the daemon is root."),
        Option("uids", &O::uids, "How many there are; 0 = plugins keep the daemon's user."));
  }
};

}  // namespace talon::plugin
