// SPDX-License-Identifier: Apache-2.0
// `talon plugin check`: the contract's test-suite against a program, without a daemon.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/own_folder.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "config/config.h"
#include "daemon/paths.h"
#include "io/loop.h"
#include "plugin/check/check.h"
#include "plugin/discovery.h"
#include "plugin/manifest.h"
#include "plugin/sandbox_plan.h"
#include "plugin/scratch.h"

namespace talon::cli {
namespace {

namespace fs = std::filesystem;
using plugin::check::Finding;
using plugin::check::Verdict;

constexpr std::string_view kUnnamed = "checked";  // a program whose file has no such name

// A folder of its own with a short path, removed with all it holds.
class CheckFolder {
 public:
  ~CheckFolder() {
    if (made_.ok()) plugin::RemoveTree(*made_);
  }
  CheckFolder() = default;
  CheckFolder(const CheckFolder&) = delete;
  CheckFolder& operator=(const CheckFolder&) = delete;
  const absl::StatusOr<std::string>& made() const { return made_; }

 private:
  const absl::StatusOr<std::string> made_ = plugin::MakeScratch();
};

// With a '/' a program; else the plugin that the daemon knows by this name, or an example.
absl::StatusOr<plugin::check::Target> FindTarget(const std::string& what,
                                                 const config::Config& config,
                                                 const daemon::Paths& paths) {
  plugin::check::Target target;
  std::error_code error;
  if (what.find('/') != std::string::npos) {
    if (!fs::exists(what, error)) return NotFound(fmt::format("'{}': no such file", what));
    target.program = fs::absolute(what, error).lexically_normal().string();
    target.name = fs::path(target.program).stem().string();
    if (!plugin::CheckPluginName(target.name).ok()) target.name = kUnnamed;
    target.entry.sandbox.read_paths = OwnFolder(target.program, paths.home);
    return target;
  }
  plugin::PluginFolders folders{paths.plugins, paths.examples(), config.plugin_host.dirs};
  folders.own.insert(folders.own.begin(), paths.home + "/plugins");
  auto found = plugin::Discover(config.plugins, folders);
  // An example is one that an entry asks for: so does whoever names it here.
  if (!found.contains(what)) found = plugin::Discover({{what, {}}}, folders);
  plugin::Found& plugin = found.at(what);
  if (!config.plugins.contains(what) && !fs::exists(plugin.program, error)) {
    return NotFound(fmt::format(
        "plugin '{}': no such plugin; `talon plugins` lists those there are, and for a program "
        "give its path, as ./{}",
        what, what));
  }
  target.name = what;
  target.entry = std::move(plugin.entry);
  target.program = std::move(plugin.program);
  return target;
}

// What the command line says of the sandbox, into the plugin's entry.
absl::Status Grant(const CheckOptions& options, plugin::SandboxOptions& entry) {
  for (const auto& [name, value] : plugin::EnumNames(plugin::ProfileChoice{})) {
    if (name == options.sandbox) entry.profile = value;
  }
  const auto add = [](const std::vector<std::string>& from, std::vector<std::string>& to) {
    for (const std::string& path : from) {
      std::error_code error;
      std::string normal = fs::absolute(path, error).lexically_normal().string();
      if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
      to.push_back(std::move(normal));
    }
  };
  add(options.read_paths, entry.read_paths);
  add(options.write_paths, entry.write_paths);
  return plugin::CheckSandbox(entry);
}

int ShowFindings(const Globals& globals, const std::vector<Finding>& findings) {
  const bool failed = std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::kFail; });
  if (globals.json) {
    Json list = Json::array();
    for (const Finding& each : findings) {
      std::string verdict(plugin::check::VerdictName(each.verdict));
      std::ranges::transform(verdict, verdict.begin(), ::tolower);
      list.push_back({{"check", each.check}, {"verdict", verdict}, {"text", each.text}});
    }
    PrintData({{"passed", !failed}, {"findings", list}});
    return failed ? kFailed : kOk;
  }
  std::size_t width = 0;
  for (const Finding& each : findings) width = std::max(width, each.check.size());
  for (const Finding& each : findings) {
    Print(fmt::format("{}  {:{}}  {}", plugin::check::VerdictName(each.verdict), each.check, width,
                      each.text));
  }
  Print(failed ? "the plugin breaks the contract" : "the plugin keeps the contract");
  return failed ? kFailed : kOk;
}

}  // namespace

int PluginCheck(const Globals& globals, const CheckOptions& options) {
  auto paths = daemon::FindPaths(&std::getenv);
  if (!paths.ok()) return Fail(globals, paths.status());
  auto loaded = config::Load(paths->config, paths->config_missing, &std::getenv);
  if (!loaded.ok()) return Fail(globals, loaded.status(), kUsage);
  auto target = FindTarget(options.what, loaded->config, *paths);
  if (!target.ok()) return Fail(globals, target.status(), kUsage);
  target->launcher = paths->launcher;
  if (!options.config_json.empty()) {
    const auto parsed = ParseJson(options.config_json, "--config");
    if (!parsed.ok()) return Fail(globals, parsed.status(), kUsage);
    target->entry.config.text = options.config_json;
  }
  if (absl::Status granted = Grant(options, target->entry.sandbox); !granted.ok()) {
    return Fail(globals, granted, kUsage);
  }
  const CheckFolder scratch;
  if (!scratch.made().ok()) return Fail(globals, scratch.made().status());
  target->folder = *scratch.made();
  log::Configure(log::Level::kError, loaded->config.log.format, nullptr);
  io::Loop loop;
  const auto scope =
      options.all ? plugin::check::Scope::kAllTools : plugin::check::Scope::kReadOnlyTools;
  return ShowFindings(globals, loop.RunUntilDone(plugin::check::CheckPlugin(
                                   loop, *std::move(target), loaded->config.plugin_host, scope)));
}

}  // namespace talon::cli
