// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/status.h"

namespace talon::daemon {
namespace {

namespace fs = std::filesystem;

bool Within(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

// What becomes of a grant, as WritePolicy() of plugin/ decides it; empty: it is harmless.
std::string Consequence(const fs::path& granted, const fs::path& home,
                        const std::vector<fs::path>& own) {
  std::error_code missing;
  const fs::path real = fs::canonical(granted, missing);
  if (missing) return "does not exist, and without it the plugin is not started";
  if (real == home) return "is talon's home, with its token and its database: it is not granted";
  if (Within(home, real)) {
    return "holds talon's home, with its token and its database: an empty folder covers that, and "
           "where it cannot the plugin is not started; grant a folder beside it";
  }
  const bool is_own =
      std::ranges::any_of(own, [&](const fs::path& folder) { return Within(real, folder); });
  if (Within(real, home) && !is_own) return "lies in talon's home: it is not granted";
  return "";
}

}  // namespace

std::vector<std::string> ConfigAdvice(const config::Loaded& loaded, const Paths& paths) {
  std::vector<std::string> advice;
  std::error_code ignored;
  const fs::path home = fs::weakly_canonical(paths.home, ignored);
  const fs::path workspace = fs::weakly_canonical(
      loaded.config.workspace.empty() ? paths.home + "/workspace" : loaded.config.workspace,
      ignored);
  const auto note = [&](const std::string& key, const std::string& path, std::string_view what) {
    advice.emplace_back(Message(
        config::AtItsLine(loaded, InvalidArgument(fmt::format("{}: '{}' {}", key, path, what)))));
  };
  if (Within(home, workspace)) {
    note("workspace", workspace.string(),
         "holds talon's home, with its token and its database; give the agent another folder");
  }
  for (const auto& [name, entry] : loaded.config.plugins) {
    if (!entry.enabled) continue;
    const std::vector<fs::path> own = {workspace, home / "plugins" / "data" / name};
    for (const auto& [key, granted] : {std::pair{"read_paths", &entry.sandbox.read_paths},
                                       std::pair{"write_paths", &entry.sandbox.write_paths}}) {
      for (const std::string& path : *granted) {
        const std::string what = Consequence(path, home, own);
        if (!what.empty()) note(fmt::format("plugins.{}.sandbox.{}", name, key), path, what);
      }
    }
  }
  return advice;
}

}  // namespace talon::daemon
