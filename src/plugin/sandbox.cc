// SPDX-License-Identifier: Apache-2.0
#include "plugin/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "launch/policy.h"
#include "plugin/disk_use.h"
#include "plugin/plugin_user.h"
#include "plugin/sandbox_policy.h"
#include "plugin/scratch.h"

namespace talon::plugin {
namespace {

constexpr std::chrono::seconds kProbeTime{10};
constexpr std::size_t kGroupNameHex = 8;

}  // namespace

WaitingLaunch::~WaitingLaunch() {
  for (const int fd : {policy, ready_[0], ready_[1]}) {
    if (fd >= 0) ::close(fd);
  }
}

absl::Status WaitingLaunch::Open(const std::string& launcher, int program_fd, const char* when) {
  TALON_ASSIGN_OR_RETURN(policy, MakePolicyFile());
  if (::pipe2(ready_, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "sandbox: open a pipe");
  spawn.program = launcher;
  spawn.keep.emplace_back(policy, launch::kPolicyFd);
  if (program_fd >= 0) spawn.keep.emplace_back(program_fd, launch::kProgramFd);
  if (*when != '\0') {
    spawn.args.emplace_back(when);
    spawn.keep.emplace_back(ready_[0], launch::kReadyFd);
  }
  spawn.report_fd = launch::kStatusFd;
  return absl::OkStatus();
}

// A process that is gone leaves the byte in the pipe, whose other end is ours too.
void WaitingLaunch::Go() {
  (void)!::write(ready_[1], "", 1);
}

io::Task<absl::StatusOr<SandboxReport>> ReadSandboxReport(io::Process& process) {
  std::string text;
  while (text.size() < launch::kMaxStatus) {
    TALON_CO_ASSIGN_OR_RETURN(const std::string bytes, co_await process.ReadReport());
    if (bytes.empty()) co_return ParseSandboxReport(text);
    text += bytes;
  }
  co_return Internal("sandbox: talon-launch reports too much");
}

Sandbox::Sandbox(std::string launcher, std::string workspace, std::string run, std::string home,
                 SandboxDefaults defaults)
    : launcher_(std::move(launcher)),
      workspace_(std::move(workspace)),
      run_(std::move(run)),
      home_(std::move(home)),
      defaults_(std::move(defaults)),
      root_(::geteuid() == 0) {}

std::string Sandbox::GroupName(const std::string& socket_directory) const {
  return fmt::format("talon-{}-{}", Sha256Hex(run_).substr(0, kGroupNameHex),
                     std::filesystem::path(socket_directory).filename().string());
}

absl::Status Sandbox::PrepareProbe(const std::string& scratch, Attempt attempt,
                                   int policy_file) const {
  TALON_RETURN_IF_ERROR(MakeDirectories(scratch));
  PolicyFacts facts{.program = launcher_,
                    .data_directory = scratch,
                    .socket_directory = scratch,
                    .own_uid = attempt.own_user ? defaults_.first_uid : 0,
                    .namespaces = attempt.namespaces,
                    .probe = true};
  const SandboxPlan plan{.profile = SandboxProfile::kDefault,
                         .memory_bytes = defaults_.memory.value,
                         .processes = defaults_.processes};
  TALON_ASSIGN_OR_RETURN(const std::string policy, WritePolicy(facts, plan, defaults_));
  return FillPolicyFile(policy_file, policy);
}

io::Task<absl::StatusOr<SandboxReport>> Sandbox::Try(io::Loop& loop, std::string scratch,
                                                     Attempt attempt) {
  const auto launch = std::make_shared<WaitingLaunch>();
  TALON_CO_RETURN_IF_ERROR(launch->Open(launcher_, -1, ""));
  TALON_CO_RETURN_IF_ERROR(co_await loop.Blocking(
      [this, scratch, attempt, launch] { return PrepareProbe(scratch, attempt, launch->policy); }));
  auto process = io::Spawn(loop, launch->spawn);
  if (!process.ok()) co_return process.status();
  const auto timer = loop.CallAt(std::chrono::steady_clock::now() + kProbeTime,
                                 [&] { (*process)->Signal(SIGKILL); });
  auto report = co_await ReadSandboxReport(**process);
  loop.CancelTimer(timer);
  co_return report;
}

io::Task<void> Sandbox::Probe(io::Loop& loop) {
  if (probed_) co_return;
  co_await probing_.Enter();
  if (!probed_) co_await TryAll(loop);
  probed_ = true;
  probing_.Leave();
}

io::Task<void> Sandbox::TryAll(io::Loop& loop) {
  const std::string scratch = run_ + "/probe";
  cgroups_ = co_await loop.Blocking([this] {
    CgroupBase found = FindCgroups();
    RemoveCgroups(found, GroupName(""));
    return found;
  });
  const Attempt attempts[] = {{root_ && defaults_.uids > 0, true}, {false, true}, {false, false}};
  for (const Attempt& attempt : attempts) {
    auto report = co_await Try(loop, scratch, attempt);
    missing_ = report.status();
    if (!report.ok()) break;
    missing_ = ReportStatus(*report, launcher_);
    probe_ = *std::move(report);
    works_ = attempt;
    works_.namespaces = probe_.Has("view");
    // Where the view is not built, a user of its own cannot reach its folders.
    if (missing_.ok() && (!attempt.own_user || works_.namespaces)) break;
  }
  if (SandboxLayer* layer = probe_.Find("cgroup"); layer != nullptr && cgroups_.usable()) {
    *layer = {"cgroup", "ok"};
  }
  co_await loop.Blocking([scratch] {
    RemoveTree(scratch);
    return true;
  });
  if (!missing_.ok()) {
    log::Warn("plugins cannot be sandboxed", {{"reason", Message(missing_)}});
  } else {
    log::Debug("sandbox probed",
               {{"layers", fmt::format("{}", fmt::join(DescribeLayers(probe_), "; "))}});
  }
}

// With the workspace or other folders to write to it keeps the daemon's user: what it makes there
// must stay the daemon's.
bool Sandbox::WantsUser(const SandboxPlan& plan) const {
  // Its own folders would be behind one that is the daemon's alone, as /root is.
  for (const std::string& path : plan.read_paths) {
    if (home_.starts_with(path + "/")) return false;
  }
  return plan.workspace == FileAccess::kNone && plan.write_paths.empty();
}

bool Sandbox::GivesUser(const SandboxPlan& plan) const {
  return works_.own_user && works_.namespaces && WantsUser(plan);
}

SandboxReport Sandbox::Expected(const SandboxPlan& plan) const {
  SandboxReport report = probe_;
  if (SandboxLayer* user = report.Find("user"); user != nullptr) user->detail = GivesUser(plan);
  if (SandboxLayer* limits = report.Find("limits"); limits != nullptr) {
    limits->detail = cgroups_.usable() ? 0 : plan.forks ? launch::kUncounted : launch::kThreadsOnly;
  }
  return report;
}

// The user the plugin runs as; 0 = the daemon's.
absl::StatusOr<uid_t> Sandbox::GiveFolders(const LaunchSpec& spec,
                                           const std::string& socket_directory) const {
  if (!root_) return 0;
  if (GivesUser(spec.sandbox_plan)) {
    TALON_ASSIGN_OR_RETURN(const uid_t user,
                           GiveToOwnUser(spec.data_directory, defaults_.first_uid, defaults_.uids));
    TALON_RETURN_IF_ERROR(GiveFolder(socket_directory, user));
    return user;
  }
  struct stat info{};
  if (::stat(spec.data_directory.c_str(), &info) == 0 && info.st_uid != 0) {
    TALON_RETURN_IF_ERROR(GiveFolder(spec.data_directory, 0));
  }
  return 0;
}

// Of what talon-launch is not asked for, and so cannot miss.
absl::Status Sandbox::CheckRequired(const SandboxPlan& plan) const {
  if (!cgroups_.usable()) {
    return FailedPrecondition(
        fmt::format("sandbox: layer 'cgroup' is missing: {}; run the service with `Delegate=memory "
                    "pids cpu`, or the daemon as root, or set sandbox.require: false",
                    cgroups_.reason));
  }
  if (root_ && defaults_.uids > 0 && WantsUser(plan) && !GivesUser(plan)) {
    return FailedPrecondition(
        "sandbox: layer 'user' is missing: a plugin cannot run as a user of its own here; check "
        "plugin_host.sandbox.first_uid and uids, or set sandbox.require: false");
  }
  return absl::OkStatus();
}

io::SpawnOptions Sandbox::Bound(io::SpawnOptions direct) const {
  if (::access(launcher_.c_str(), X_OK) != 0) return direct;
  const bool by_descriptor = direct.program_fd >= 0;
  std::vector<std::string> words = {launch::kBound, std::to_string(::getpid()),
                                    by_descriptor ? "-" : direct.program, direct.program};
  direct.args.insert(direct.args.begin(), words.begin(), words.end());
  direct.program = launcher_;
  if (by_descriptor) direct.keep.emplace_back(direct.program_fd, launch::kProgramFd);
  direct.program_fd = -1;
  return direct;
}

// Asked for all the same when they must be: the refusal then names the layer.
bool Sandbox::WantsNamespaces(const SandboxPlan& plan) const {
  return works_.namespaces || plan.require;
}

absl::StatusOr<std::shared_ptr<WaitingLaunch>> Sandbox::Begin(const LaunchSpec& spec,
                                                              int program_fd) const {
  if (!missing_.ok()) {
    return Annotate(missing_,
                    "sandbox: talon-launch does not work here; reinstall talon, or set "
                    "sandbox.profile: none to run the plugin without a sandbox");
  }
  const SandboxPlan& plan = spec.sandbox_plan;
  if (plan.require) TALON_RETURN_IF_ERROR(CheckRequired(plan));
  auto launch = std::make_shared<WaitingLaunch>();
  const char* when = WantsNamespaces(plan) ? launch::kEarly : launch::kLate;
  TALON_RETURN_IF_ERROR(launch->Open(launcher_, program_fd, when));
  return launch;
}

absl::StatusOr<std::vector<std::string>> Sandbox::Prepare(const LaunchSpec& spec,
                                                          const std::string& socket_directory,
                                                          const io::SpawnOptions& direct,
                                                          int policy_file) const {
  const SandboxPlan& plan = spec.sandbox_plan;
  TALON_RETURN_IF_ERROR(CheckDisk({spec.data_directory}, {.most_bytes = plan.disk_bytes}));
  PolicyFacts facts{.plugin = spec.name,
                    .program = direct.program,
                    .program_is_descriptor = direct.program_fd >= 0,
                    .args = direct.args,
                    .env = direct.env,
                    .data_directory = spec.data_directory,
                    .socket_directory = socket_directory,
                    .workspace = workspace_,
                    .home = home_,
                    .namespaces = WantsNamespaces(plan)};
  TALON_ASSIGN_OR_RETURN(facts.own_uid, GiveFolders(spec, socket_directory));
  if (plan.workspace != FileAccess::kNone) TALON_RETURN_IF_ERROR(MakeDirectories(workspace_));
  if (cgroups_.usable()) {
    const CgroupLimits limits{plan.memory_bytes, plan.processes, defaults_.cpu_percent};
    facts.cgroup = MakeCgroup(cgroups_, GroupName(socket_directory), limits);
    if (facts.cgroup.empty() && plan.require) {
      return Internal("sandbox: layer 'cgroup': a control group with limits could not be made");
    }
  }
  const auto policy = WritePolicy(facts, plan, defaults_);
  const absl::Status filled = policy.ok() ? FillPolicyFile(policy_file, *policy) : policy.status();
  if (filled.ok()) return facts.cgroup;
  RemoveCgroup(facts.cgroup);
  return filled;
}

}  // namespace talon::plugin
