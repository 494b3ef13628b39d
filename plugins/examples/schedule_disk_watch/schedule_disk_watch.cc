// SPDX-License-Identifier: Apache-2.0
#include "examples/schedule_disk_watch/schedule_disk_watch.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "talon/sdk/text.h"

namespace talon::examples {
namespace {

using std::chrono::system_clock;

constexpr std::chrono::hours kWarnAgain{24};
constexpr std::chrono::minutes kWhileFull{10};

struct Space {
  unsigned long long total = 0, free = 0;
  long used_percent() const {
    return total == 0 ? 0 : static_cast<long>((total - free) * 100 / total);
  }
};

absl::StatusOr<Space> SpaceOf(const std::string& path) {
  struct statvfs info = {};
  if (statvfs(path.c_str(), &info) != 0) {
    return absl::NotFoundError(fmt::format("'{}': {}", path, std::strerror(errno)));
  }
  // What others than root may still use.
  return Space{static_cast<unsigned long long>(info.f_blocks) * info.f_frsize,
               static_cast<unsigned long long>(info.f_bavail) * info.f_frsize};
}

// Seconds since 1970 by path, a line each.
std::map<std::string, long> ReadMemory(const std::string& file) {
  std::map<std::string, long> warned;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    long when = 0;
    std::string path;
    if (words >> when && std::getline(words >> std::ws, path)) warned[path] = when;
  }
  return warned;
}

void WriteMemory(const std::string& file, const std::map<std::string, long>& warned) {
  std::ofstream out(file, std::ios::trunc);
  for (const auto& [path, when] : warned) out << when << ' ' << path << '\n';
}

}  // namespace

ScheduleDiskWatch::ScheduleDiskWatch()
    : Plugin(
          {.name = "schedule_disk_watch",
           .version = "1.0.0",
           .description = "Warns when a disk is nearly full.",
           .config = sdk::Object()
                         .Optional("paths", sdk::ArrayOf(sdk::String(), "default: /"))
                         .Optional("full_percent", sdk::Integer("default: 90").Min(1).Max(100))}) {
  AddTask({.name = "look",
           .description = "Looks how full the disks are.",
           .every = std::chrono::hours(1),
           .at_start = true,
           .run = [this](const sdk::TaskRun& run, const sdk::CallInfo&) { return Look(run); }});
}

absl::Status ScheduleDiskWatch::Configure(const sdk::Args& config, const sdk::Folders& folders) {
  paths_ = config.Strings("paths");
  if (paths_.empty()) paths_ = {"/"};
  full_percent_ = config.Int("full_percent", 90);
  memory_file_ = folders.data + "/warned";
  return absl::OkStatus();
}

absl::StatusOr<sdk::TaskReport> ScheduleDiskWatch::Look(const sdk::TaskRun& run) {
  const long now = system_clock::to_time_t(run.due_at);
  std::map<std::string, long> warned = ReadMemory(memory_file_);
  sdk::TaskReport report;
  for (const std::string& path : paths_) {
    const absl::StatusOr<Space> space = SpaceOf(path);
    if (!space.ok()) return space.status();
    report.summary += fmt::format("{}{} {}% used", report.summary.empty() ? "" : ", ", path,
                                  space->used_percent());
    if (space->used_percent() < full_percent_) {
      warned.erase(path);
      continue;
    }
    report.next_after = kWhileFull;
    long& last = warned[path];
    if (last != 0 && now - last < std::chrono::seconds(kWarnAgain).count()) continue;
    last = now;
    report.notify_title = "Disk nearly full";
    report.notify_text +=
        fmt::format("{}{} is {}% full, {} are left.", report.notify_text.empty() ? "" : "\n", path,
                    space->used_percent(), sdk::HumanSize(space->free));
  }
  WriteMemory(memory_file_, warned);
  return report;
}

}  // namespace talon::examples
