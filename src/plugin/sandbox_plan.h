// SPDX-License-Identifier: Apache-2.0
// What a plugin's process is to get, and what talon-launch says it got. Pure, any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "plugin/manifest.h"
#include "plugin/sandbox_options.h"

namespace talon::plugin {

struct SandboxPlan {
  SandboxProfile profile = SandboxProfile::kNone;
  bool require = false;
  NetworkAccess network = NetworkAccess::kNone;
  FileAccess workspace = FileAccess::kNone;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::uint32_t processes = 0;
  bool forks = false;  // somebody asked for processes; else they need a control group
  std::vector<std::string> read_paths, write_paths;
};

// Paths must be absolute, normal and not the root.
absl::Status CheckSandbox(const SandboxOptions& entry);

// What the entry says counts; where it says nothing, what the manifest asks for, up to the
// defaults' limits. Paths come from the entry alone.
SandboxPlan PlanSandbox(const SandboxOptions& entry, const SandboxDefaults& defaults,
                        const Needs& needs);

struct SandboxLayer {
  std::string name, state;  // "namespaces", "ok" | "unavailable" | "failed"
  int error = 0, detail = 0;
};

struct SandboxReport {
  std::vector<SandboxLayer> layers;
  pid_t program = 0;        // the program's process, when it is not the one that was spawned
  std::string fatal_layer;  // not empty: the program was not started
  int fatal_error = 0;

  const SandboxLayer* Find(std::string_view name) const;
  SandboxLayer* Find(std::string_view name);
  bool Has(std::string_view name) const;  // the layer is on
};

SandboxReport ParseSandboxReport(std::string_view text);

// OK, or why the program was not started and what to do.
absl::Status ReportStatus(const SandboxReport& report, const std::string& program);

// "A": all layers. "B": files, system calls and limits are confined, something else is missing.
// "C": less; also when nothing bounds the memory of its processes together. "none": no sandbox.
// `root`: the daemon is root.
std::string SandboxGrade(const SandboxPlan& plan, const SandboxReport& report, bool root);

// One line a layer for people: "files: ok, Landlock 7".
std::vector<std::string> DescribeLayers(const SandboxReport& report);

}  // namespace talon::plugin
