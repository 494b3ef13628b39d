// SPDX-License-Identifier: Apache-2.0
// `talon plugins inspect PATH`: a program that is no plugin of the daemon's is started once, in a
// folder that is removed afterwards, and asked what it is.
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "daemon/paths.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "tool/catalogue.h"

namespace talon::cli {
namespace {

constexpr char kName[] = "inspected";

class Scratch {
 public:
  Scratch() : path_("/tmp/talon-inspect-XXXXXX") { made_ = ::mkdtemp(path_.data()) != nullptr; }
  ~Scratch() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  bool made() const { return made_; }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  bool made_ = false;
};

io::Task<absl::StatusOr<plugin::PluginReport>> Ask(plugin::Host& host, plugin::PluginEntry entry) {
  std::map<std::string, plugin::PluginEntry> entries;
  entries.emplace(kName, std::move(entry));
  absl::StatusOr<plugin::PluginReport> report = Internal("not asked");
  if (absl::Status loaded = co_await host.Load(std::move(entries)); loaded.ok()) {
    report = co_await host.Inspect(kName);
  } else {
    report = std::move(loaded);
  }
  co_await host.Stop();
  co_return report;
}

// What a script loads stands beside it. A folder that holds the daemon's own is shown to nobody.
std::vector<std::string> Beside(const std::string& program, const std::string& home) {
  std::error_code error;
  const auto canonical = std::filesystem::canonical(program, error);
  const std::string folder = error ? "" : canonical.parent_path().string();
  const std::string kept = std::filesystem::weakly_canonical(home, error).string() + "/";
  if (folder.empty() || folder == "/" || kept.starts_with(folder + "/")) return {};
  return {folder};
}

absl::StatusOr<plugin::PluginReport> Ask(const std::string& program, const Scratch& scratch) {
  TALON_ASSIGN_OR_RETURN(const daemon::Paths installed, daemon::FindPaths(&std::getenv));
  io::Loop loop;
  SystemClock clock;
  tool::Catalogue catalogue;
  plugin::HostPaths paths;
  paths.run = scratch / "r";
  paths.data = scratch / "data";
  paths.cache = scratch / "cache";
  paths.workspace = scratch / "workspace";
  paths.launcher = installed.launcher;  // nobody trusts it yet
  const auto host = plugin::MakeHost(loop, clock, catalogue, paths, {});
  plugin::PluginEntry entry;
  entry.plugin = program;
  entry.pin = false;
  entry.sandbox.read_paths = Beside(program, installed.home);
  return loop.RunUntilDone(Ask(*host, std::move(entry)));
}

}  // namespace

int PluginExamine(const Globals& globals, const std::string& program) {
  const Scratch scratch;
  if (!scratch.made()) return Fail(globals, Unavailable("inspect: no folder in /tmp can be made"));
  log::Configure(log::Level::kError, log::Format::kAuto, nullptr);  // what fails is told below
  const auto report = Ask(program, scratch);
  if (!report.ok()) return Fail(globals, report.status());
  if (report->info.state == plugin::PluginState::kFailed) {
    return Fail(globals, FailedPrecondition(report->info.last_error));
  }
  Json plugin = {{"name", std::filesystem::path(program).filename().string()},
                 {"version", report->info.version},
                 {"state", "asked"},
                 {"description", report->info.description},
                 {"program", report->program},
                 {"sha256", report->sha256},
                 {"manifest_sha256", report->manifest_sha256},
                 {"owner", report->owner}};
  if (auto manifest = ParseJson(report->manifest_json, "manifest"); manifest.ok()) {
    plugin["manifest"] = *std::move(manifest);
  }
  if (globals.json) {
    PrintData(plugin);
  } else {
    PrintPlugin(plugin);
  }
  return kOk;
}

}  // namespace talon::cli
