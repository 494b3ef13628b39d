// SPDX-License-Identifier: Apache-2.0
#include "plugin/examine.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "plugin/scratch.h"
#include "tool/catalogue.h"

namespace talon::plugin {
namespace {

PluginEntry Harmless(PluginEntry entry) {
  entry.enabled = true;
  entry.pin = false;  // nothing is pinned yet
  entry.config = {};
  entry.env.clear();
  entry.credentials.clear();
  entry.sandbox.network = NetworkChoice::kNone;
  entry.sandbox.workspace = FileChoice::kNone;
  entry.sandbox.write_paths.clear();
  return entry;
}

io::Task<absl::StatusOr<PluginReport>> Ask(Host& host, std::string name, PluginEntry entry) {
  std::map<std::string, PluginEntry> entries;
  entries.emplace(name, std::move(entry));
  if (absl::Status loaded = co_await host.Load(std::move(entries)); !loaded.ok()) co_return loaded;
  auto report = co_await host.Inspect(std::move(name));
  if (report.ok() && report->manifest_json.empty()) {
    co_return FailedPrecondition(report->info.last_error);
  }
  co_return report;
}

}  // namespace

io::Task<absl::StatusOr<PluginReport>> ExamineProgram(io::Loop& loop, const Clock& clock,
                                                      Examinee examinee) {
  const auto scratch = co_await loop.Blocking([] { return MakeScratch(); });
  if (!scratch.ok()) co_return scratch.status();
  HostPaths paths;
  paths.run = *scratch + "/r";
  paths.data = *scratch + "/data";
  paths.cache = *scratch + "/cache";
  paths.workspace = *scratch + "/workspace";
  paths.launcher = std::move(examinee.launcher);
  paths.hidden = std::move(examinee.hidden);
  examinee.options.dirs.clear();
  tool::Catalogue catalogue;
  const auto host = MakeHost(loop, clock, catalogue, std::move(paths), std::move(examinee.options));
  auto report = co_await Ask(*host, std::move(examinee.name), Harmless(std::move(examinee.entry)));
  co_await host->Stop();
  co_await loop.Blocking([folder = *scratch] {
    RemoveTree(folder);
    return true;
  });
  co_return report;
}

}  // namespace talon::plugin
