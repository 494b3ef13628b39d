// SPDX-License-Identifier: Apache-2.0
// `talon plugins inspect PATH`: a program that is no plugin of the daemon's is started once, in a
// folder that is removed afterwards, and asked what it is.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/own_folder.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "daemon/paths.h"
#include "io/loop.h"
#include "plugin/examine.h"
#include "plugin/manifest.h"

namespace talon::cli {

int PluginExamine(const Globals& globals, const std::string& program) {
  if (std::error_code error; !std::filesystem::exists(program, error)) {
    return Fail(globals, NotFound("'" + program + "': no such file"), kUsage);
  }
  const auto installed = daemon::FindPaths(&std::getenv);
  if (!installed.ok()) return Fail(globals, installed.status());
  log::Configure(log::Level::kError, log::Format::kAuto, nullptr);  // what fails is told below
  io::Loop loop;
  SystemClock clock;
  plugin::Examinee examinee;
  const std::string name = std::filesystem::path(program).stem().string();
  examinee.name = plugin::CheckPluginName(name).ok() ? name : "inspected";
  examinee.entry.plugin = program;
  examinee.entry.sandbox.read_paths = OwnFolder(program, installed->home);
  examinee.launcher = installed->launcher;
  const auto report = loop.RunUntilDone(plugin::ExamineProgram(loop, clock, std::move(examinee)));
  if (!report.ok()) return Fail(globals, report.status());
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
