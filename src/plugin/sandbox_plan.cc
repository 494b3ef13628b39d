// SPDX-License-Identifier: Apache-2.0
#include "plugin/sandbox_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/status.h"
#include "launch/policy.h"

namespace talon::plugin {
namespace {

struct LayerText {
  std::string_view name, what, cure;
};

constexpr LayerText kLayerTexts[] = {
    {"policy", "its policy was refused", "the talon-launch installed is not of this daemon"},
    {"cgroup", "control groups",
     "run the service with `Delegate=memory pids cpu`, or the daemon as root"},
    {"namespaces", "process, network and mount namespaces",
     "let this user make user namespaces (sysctl user.max_user_namespaces, and where it exists "
     "kernel.unprivileged_userns_clone=1; in a container: a seccomp profile that allows unshare)"},
    {"view", "its own view of the file system", "see namespaces; Linux 5.12 or newer"},
    {"proc", "a /proc of its own processes",
     "a /proc of which nothing is covered (in a container: systempaths=unconfined); Linux 5.8 or "
     "newer for the strict profile"},
    {"directory", "its data folder", "check the folder's owner and mode"},
    {"limits", "resource limits", "check the limits of the daemon itself"},
    {"user", "another user without privileges",
     "check plugin_host.sandbox.first_uid and uids against what this machine allows"},
    {"files", "Landlock", "Linux 5.13 or newer, with landlock among the active security modules"},
    {"calls", "the filter of system calls", "a kernel with seccomp filters"},
};

const LayerText* TextOf(std::string_view layer) {
  for (const LayerText& text : kLayerTexts) {
    if (text.name == layer) return &text;
  }
  return nullptr;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

int Number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

NetworkAccess Choose(NetworkChoice choice, NetworkAccess wish, NetworkAccess most) {
  if (choice == NetworkChoice::kNone) return NetworkAccess::kNone;
  if (choice == NetworkChoice::kOutbound) return NetworkAccess::kOutbound;
  return std::min(wish, most);
}

FileAccess Choose(FileChoice choice, FileAccess wish, FileAccess most) {
  if (choice == FileChoice::kNone) return FileAccess::kNone;
  if (choice == FileChoice::kRead) return FileAccess::kRead;
  if (choice == FileChoice::kWrite) return FileAccess::kWrite;
  return std::min(wish, most);
}

SandboxProfile Choose(ProfileChoice choice, SandboxProfile otherwise) {
  if (choice == ProfileChoice::kDefault) return SandboxProfile::kDefault;
  if (choice == ProfileChoice::kStrict) return SandboxProfile::kStrict;
  if (choice == ProfileChoice::kNone) return SandboxProfile::kNone;
  return otherwise;
}

// Of the entry, else of the manifest up to `most`, else `otherwise`.
template <class Number>
Number Amount(Number entry, Number wish, Number otherwise, Number most) {
  if (entry > 0) return entry;
  return wish > 0 ? std::min(wish, most) : otherwise;
}

}  // namespace

absl::Status CheckSandbox(const SandboxOptions& entry) {
  for (const auto* paths : {&entry.read_paths, &entry.write_paths}) {
    for (const std::string& path : *paths) {
      const std::filesystem::path given(path);
      const bool normal = given.lexically_normal() == given && path.size() > 1;
      if (given.is_absolute() && normal && path.find('\0') == std::string::npos) continue;
      return InvalidArgument(
          fmt::format("sandbox: '{}' must be an absolute path without '.' and '..'", path));
    }
  }
  return absl::OkStatus();
}

SandboxPlan PlanSandbox(const SandboxOptions& entry, const SandboxDefaults& defaults,
                        const Needs& needs) {
  SandboxPlan plan;
  plan.profile = Choose(entry.profile, defaults.profile);
  plan.require = entry.require == RequireChoice::kInherit ? defaults.require
                                                          : entry.require == RequireChoice::kTrue;
  plan.network = Choose(entry.network, needs.network, defaults.network);
  plan.workspace = Choose(entry.workspace, needs.workspace, defaults.workspace);
  plan.memory_bytes = Amount(entry.memory.value, needs.memory_bytes, defaults.memory.value,
                             defaults.max_memory.value);
  plan.processes =
      Amount(entry.processes, needs.processes, defaults.processes, defaults.max_processes);
  plan.disk_bytes = entry.disk.value > 0 ? entry.disk.value : defaults.disk.value;
  plan.forks = entry.processes > 0 || needs.processes > 0;
  plan.read_paths = entry.read_paths;
  plan.write_paths = entry.write_paths;
  return plan;
}

const SandboxLayer* SandboxReport::Find(std::string_view name) const {
  for (const SandboxLayer& layer : layers) {
    if (layer.name == name) return &layer;
  }
  return nullptr;
}

SandboxLayer* SandboxReport::Find(std::string_view name) {
  return const_cast<SandboxLayer*>(std::as_const(*this).Find(name));
}

bool SandboxReport::Has(std::string_view name) const {
  const SandboxLayer* layer = Find(name);
  return layer != nullptr && layer->state == "ok";
}

SandboxReport ParseSandboxReport(std::string_view text) {
  SandboxReport report;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = Words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() >= 2 && words[0] == "pid") {
      report.program = Number(words[1]);
    } else if (words.size() >= 3 && words[0] == "fatal") {
      report.fatal_layer = words[1];
      report.fatal_error = Number(words[2]);
    } else if (words.size() == 4) {
      report.layers.push_back(
          {std::string(words[0]), std::string(words[1]), Number(words[2]), Number(words[3])});
    }
  }
  return report;
}

absl::Status ReportStatus(const SandboxReport& report, const std::string& program) {
  if (report.fatal_layer.empty()) {
    // The last layer before the program; without it somebody killed talon-launch.
    if (report.Find("calls") != nullptr) return absl::OkStatus();
    return Unavailable("sandbox: talon-launch ended before it could start the program");
  }
  const int error = report.fatal_error;
  if (report.fatal_layer == "exec") {
    const std::string attempt = fmt::format("start '{}'", program);
    if (error == ENOENT) return NotFound(attempt + ": no such file, or its interpreter");
    if (error == EACCES || error == EPERM) {
      return PermissionDenied(attempt +
                              ": not an executable file its sandbox lets it run; files beside it "
                              "and interpreters outside /usr need sandbox.read_paths");
    }
    if (error == ENOEXEC) return Internal(attempt + ": not a program for this machine");
    return ErrnoToStatus(error, attempt);
  }
  const LayerText* text = TextOf(report.fatal_layer);
  return FailedPrecondition(fmt::format(
      "sandbox: layer '{}' ({}) could not be applied: {}; {}, or set sandbox.require: false or "
      "another sandbox.profile",
      report.fatal_layer, text == nullptr ? "" : text->what, std::strerror(error),
      text == nullptr ? "update talon" : text->cure));
}

std::string SandboxGrade(const SandboxPlan& plan, const SandboxReport& report, bool root) {
  constexpr int kLandlockWithScopes = 6;
  if (plan.profile == SandboxProfile::kNone) return "none";
  for (const char* layer : {"limits", "user", "files", "calls"}) {
    if (!report.Has(layer)) return "C";
  }
  if (report.Find("limits")->detail == launch::kUncounted) return "C";
  const bool own_user = !root || report.Find("user")->detail == 1;
  const bool all = own_user && report.Has("cgroup") && report.Has("namespaces") &&
                   report.Has("view") && report.Has("proc") &&
                   report.Find("files")->detail >= kLandlockWithScopes;
  return all ? "A" : "B";
}

std::vector<std::string> DescribeLayers(const SandboxReport& report) {
  std::vector<std::string> lines;
  for (const SandboxLayer& layer : report.layers) {
    std::string line = fmt::format("{}: {}", layer.name, layer.state);
    if (layer.error != 0) line += fmt::format(" ({})", std::strerror(layer.error));
    if (layer.state == "ok") {
      if (layer.name == "files") line += fmt::format(", Landlock {}", layer.detail);
      if (layer.name == "limits" && layer.detail == launch::kThreadsOnly) {
        line += ", threads but no processes";
      }
      if (layer.name == "limits" && layer.detail == launch::kUncounted) {
        line += ", not the memory of all processes together";
      }
      if (layer.name == "user") line += layer.detail == 1 ? ", its own" : ", the daemon's";
      if (layer.name == "namespaces" && layer.detail == 1) line += ", of a user's own";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace talon::plugin
