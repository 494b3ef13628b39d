// SPDX-License-Identifier: Apache-2.0
// A supervisor's plan for its plugin's sandbox, and what it tells of it.
#include "plugin/sandbox.h"
#include "plugin/supervisor.h"

namespace talon::plugin {

// Before the manifest is known, at the one run that asks for it, nothing is granted.
SandboxPlan Supervisor::MakePlan() const {
  return PlanSandbox(entry_.sandbox, dependencies_.options.sandbox, manifest_.needs);
}

SandboxInfo Supervisor::DescribeSandbox() const {
  const SandboxPlan plan = MakePlan();
  SandboxInfo info;
  info.require = plan.require;
  info.network = NameOf(plan.network);
  info.workspace = NameOf(plan.workspace);
  info.memory_bytes = plan.memory_bytes;
  info.processes = plan.processes;
  info.wanted_paths = manifest_.needs.read_paths;
  info.wanted_paths.insert(info.wanted_paths.end(), manifest_.needs.write_paths.begin(),
                           manifest_.needs.write_paths.end());
  if (dependencies_.sandbox == nullptr || plan.profile == SandboxProfile::kNone) return info;
  info.profile = NameOf(plan.profile);
  if (sandbox_report_) {
    info.grade = SandboxGrade(plan, *sandbox_report_, dependencies_.sandbox->root());
    info.layers = DescribeLayers(*sandbox_report_);
  } else if (!dependencies_.sandbox->probed()) {
    info.grade = kNotProbed;
  } else {
    const SandboxReport expected = dependencies_.sandbox->Expected(plan);
    info.grade = SandboxGrade(plan, expected, dependencies_.sandbox->root());
    info.layers = DescribeLayers(expected);
  }
  return info;
}

}  // namespace talon::plugin
