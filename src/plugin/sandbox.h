// SPDX-License-Identifier: Apache-2.0
// Starts plugins through talon-launch. One for all that runs with one folder of sockets; owned by
// the host, which lends it to channels. Knows what this machine can do, once it was asked.
// docs/adr/0005-sandbox.md tells why the layers are as they are. Loop's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/process.h"
#include "io/task.h"
#include "plugin/cgroup.h"
#include "plugin/launch.h"
#include "plugin/sandbox_plan.h"
#include "plugin/turnstile.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

// talon-launch, spawned as `spawn` says, waits for its policy: the file `policy`, complete once
// Go() is called. Its descriptors are closed with it.
class WaitingLaunch {
 public:
  WaitingLaunch() = default;
  WaitingLaunch(const WaitingLaunch&) = delete;
  WaitingLaunch& operator=(const WaitingLaunch&) = delete;
  ~WaitingLaunch();
  absl::Status Open(const std::string& launcher, int program_fd, const char* when);
  void Go();

  io::SpawnOptions spawn;
  int policy = -1;

 private:
  int ready_[2] = {-1, -1};
};

class Sandbox {
 public:
  // `launcher`: path of talon-launch. `workspace`: the agent's folder. `run`: of the sockets.
  // `home`: of the daemon, which no grant may show; empty: none.
  Sandbox(std::string launcher, std::string workspace, std::string run, std::string home,
          SandboxDefaults defaults);

  // Tries every layer with a process that runs no program, and ends what a killed daemon has left
  // in control groups. The first call does it, those that come meanwhile wait for it: before the
  // first Prepare(), and where somebody asks for grades. Without talon-launch every plugin with a
  // profile is refused at its start.
  io::Task<void> Probe(io::Loop& loop);
  bool probed() const { return probed_; }
  // What a plugin with this plan will get, as the probe says. Only when probed().
  SandboxReport Expected(const SandboxPlan& plan) const;
  bool root() const { return root_; }

  // What `direct` starts, without a sandbox, as a process that ends with the daemon, also when that
  // is killed. `direct` itself where talon-launch is missing.
  io::SpawnOptions Bound(io::SpawnOptions direct) const;
  // Only when probed(). talon-launch makes its namespaces while the rest is prepared.
  absl::StatusOr<std::shared_ptr<WaitingLaunch>> Begin(const LaunchSpec& spec,
                                                       int program_fd) const;
  // `direct` starts the program itself. Gives folders to the plugin's user, makes its group, writes
  // its policy. Answers the folders of the group, to be removed when the process is gone. Blocks.
  absl::StatusOr<std::vector<std::string>> Prepare(const LaunchSpec& spec,
                                                   const std::string& socket_directory,
                                                   const io::SpawnOptions& direct,
                                                   int policy_file) const;

 private:
  struct Attempt {
    bool own_user = false, namespaces = true;
  };
  io::Task<void> TryAll(io::Loop& loop);
  absl::Status PrepareProbe(const std::string& scratch, Attempt attempt, int policy_file) const;
  io::Task<absl::StatusOr<SandboxReport>> Try(io::Loop& loop, std::string scratch, Attempt attempt);
  bool WantsNamespaces(const SandboxPlan& plan) const;
  bool WantsUser(const SandboxPlan& plan) const;
  bool GivesUser(const SandboxPlan& plan) const;
  absl::Status CheckRequired(const SandboxPlan& plan) const;
  absl::StatusOr<uid_t> GiveFolders(const LaunchSpec& spec,
                                    const std::string& socket_directory) const;
  std::string GroupName(const std::string& socket_directory) const;

  const std::string launcher_, workspace_, run_, home_;
  const SandboxDefaults defaults_;
  const bool root_;
  Turnstile probing_;
  // Set by Probe().
  bool probed_ = false;
  CgroupBase cgroups_;
  SandboxReport probe_;
  Attempt works_;
  absl::Status missing_;  // why talon-launch does not run
};

// What talon-launch says until the program runs, or does not.
io::Task<absl::StatusOr<SandboxReport>> ReadSandboxReport(io::Process& process);

}  // namespace talon::plugin
