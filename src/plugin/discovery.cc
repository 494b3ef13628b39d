// SPDX-License-Identifier: Apache-2.0
#include "plugin/discovery.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "plugin/manifest.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

// Programs by name in one folder.
std::map<std::string, std::string> ProgramsIn(const std::string& folder) {
  std::map<std::string, std::string> programs;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name == "data" || name == "cache" || name == "logs" || !CheckPluginName(name).ok())
      continue;
    std::error_code ignored;
    const fs::path program = it->path() / name;
    if (fs::is_regular_file(program, ignored)) programs[name] = program.string();
  }
  return programs;
}

std::string Absolute(const std::string& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).lexically_normal().string();
}

Found Locate(const std::string& name, const std::string& plugin, const PluginFolders& folders,
             const std::map<std::string, Found>& in_folders) {
  std::error_code ignored;
  const std::string& bare = plugin.empty() ? name : plugin;
  if (bare.find('/') == std::string::npos) {
    if (const auto at = in_folders.find(bare); at != in_folders.end()) return at->second;
    const std::string example = fmt::format("{}/{}/{}", folders.examples, bare, bare);
    if (fs::exists(example, ignored)) {
      return {.entry = {}, .program = Absolute(example), .origin = Origin::kBundled};
    }
    // Else a file where the daemon was started; where nothing is, the bundled place is named.
    if (plugin.empty() || !fs::exists(plugin, ignored)) {
      return {.entry = {},
              .program = fmt::format("{}/{}/{}", folders.bundled, bare, bare),
              .origin = Origin::kBundled};
    }
  }
  return {.entry = {}, .program = Absolute(plugin), .origin = Origin::kConfigured};
}

}  // namespace

std::map<std::string, Found> Discover(std::map<std::string, PluginEntry> configured,
                                      const PluginFolders& folders) {
  std::map<std::string, Found> found;
  for (const auto& [name, program] : ProgramsIn(folders.bundled)) {
    found[name] = {.entry = {}, .program = program, .origin = Origin::kBundled};
  }
  for (const std::string& folder : folders.own) {
    for (const auto& [name, program] : ProgramsIn(Absolute(folder))) {
      const auto [at, added] = found.try_emplace(
          name, Found{.entry = {}, .program = program, .origin = Origin::kFolder});
      if (!added) {
        log::Warn("plugin is hidden by another of its name",
                  {{"plugin", name}, {"path", program}, {"by", at->second.program}});
      }
    }
  }
  const std::map<std::string, Found> in_folders = found;
  for (auto& [name, entry] : configured) {
    found[name] = Locate(name, entry.plugin, folders, in_folders);
    found[name].entry = std::move(entry);
  }
  return found;
}

}  // namespace talon::plugin
