// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "config/config.h"
#include "daemon/config_advice.h"
#include "daemon/daemon.h"
#include "daemon/paths.h"

namespace talon::cli {
namespace {

absl::StatusOr<config::Loaded> LoadConfig() {
  TALON_ASSIGN_OR_RETURN(daemon::Paths paths, daemon::FindPaths(&std::getenv));
  return config::Load(paths.config, paths.config_missing, &std::getenv);
}

// Everything that is wrong, not only what the first look finds.
absl::StatusOr<config::Loaded> LoadChecked() {
  TALON_ASSIGN_OR_RETURN(daemon::Paths paths, daemon::FindPaths(&std::getenv));
  TALON_ASSIGN_OR_RETURN(config::Draft draft,
                         config::LoadDraft(paths.config, paths.config_missing, &std::getenv));
  std::vector<std::string>& problems = draft.problems;
  if (const absl::Status checked = daemon::CheckConfig(draft.loaded); !checked.ok()) {
    problems.emplace_back(Message(checked));
  }
  const auto unknown = config::UnknownVariables(draft.loaded, config::TalonVariables());
  problems.insert(problems.end(), unknown.begin(), unknown.end());
  if (!problems.empty()) return InvalidArgument(fmt::format("{}", fmt::join(problems, "\n")));
  return std::move(draft.loaded);
}

}  // namespace

int Serve(const Globals& globals) {
  auto paths = daemon::FindPaths(&std::getenv);
  if (!paths.ok()) return Fail(globals, paths.status());
  auto loaded = config::Load(paths->config, paths->config_missing, &std::getenv);
  if (!loaded.ok()) return Fail(globals, loaded.status(), kUsage);
  return daemon::RunDaemon(*std::move(loaded), *std::move(paths));
}

int ConfigCheck(const Globals& globals) {
  auto loaded = LoadChecked();
  if (!loaded.ok()) return Fail(globals, loaded.status(), kUsage);
  std::vector<std::string> advice;
  if (const auto paths = daemon::FindPaths(&std::getenv); paths.ok()) {
    advice = daemon::ConfigAdvice(*loaded, *paths);
  }
  if (globals.json) {
    PrintData({{"sources", loaded->sources}, {"warnings", advice}});
    return kOk;
  }
  for (const std::string& line : advice) Print("warning: " + line);
  if (loaded->sources.empty()) std::printf("no configuration file: the defaults are in force\n");
  for (const std::string& source : loaded->sources) std::printf("read %s\n", source.c_str());
  std::printf("configuration ok\n");
  return kOk;
}

int ConfigShow(const Globals& globals) {
  auto loaded = LoadConfig();
  if (!loaded.ok()) return Fail(globals, loaded.status(), kUsage);
  const std::string yaml = config::Show(loaded->config);
  if (globals.json) {
    std::printf("%s\n", DumpJson({{"ok", true}, {"data", {{"yaml", yaml}}}}).c_str());
  } else {
    std::printf("%s", yaml.c_str());
  }
  return kOk;
}

int ConfigExample(bool reference) {
  const std::string text = reference ? config::ReferenceMarkdown() : config::ExampleYaml();
  std::printf("%s", text.c_str());
  return kOk;
}

}  // namespace talon::cli
