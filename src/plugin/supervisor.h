// SPDX-License-Identifier: Apache-2.0
// The life of one plugin: known by its manifest, started by the first call, stopped when idle,
// restarted after a crash with growing waits, given up for a while when it keeps crashing. Owned by
// the host and shared with its tools, which may outlive a reload. Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "plugin/discovery.h"
#include "plugin/host.h"
#include "plugin/manifest.h"
#include "plugin/options.h"
#include "plugin/plugin_log.h"
#include "plugin/plugin_process.h"
#include "plugin/restart_policy.h"
#include "plugin/trust.h"
#include "tool/tool.h"

namespace talon::plugin {

// Names a program and how it is called by content. Blocks.
absl::StatusOr<std::string> ProgramKey(const Program& program, const std::vector<std::string>& args,
                                       DigestCache& digests);

class Supervisor : public std::enable_shared_from_this<Supervisor> {
 public:
  struct Dependencies {
    io::Loop& loop;
    const Clock& clock;
    const HostPaths& paths;
    const HostOptions& options;
    CredentialSource& credentials;
    Redactor& redactor;
    TrustBook& trust;
    DigestCache& digests;
    std::function<double()> random;  // [0, 1)
    Sandbox* sandbox = nullptr;      // none: programs run as the daemon does
    // The tools of a plugin in use have changed: they are manifest()'s now. May be empty.
    std::function<void(Supervisor&)> on_tools = nullptr;
  };

  // Everything in `dependencies` must outlive it. `log` is shared with who reads it.
  Supervisor(std::string name, Found found, std::shared_ptr<PluginLog> log,
             Dependencies dependencies);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Learns the manifest, when the program is trusted: beside the program, else from the cache, else
  // by running the program once. PermissionDenied/kDenied when it is not trusted.
  io::Task<absl::Status> Load();
  const Manifest& manifest() const { return manifest_; }
  const std::string& name() const { return name_; }
  const Found& found() const { return found_; }
  // Marks it untrusted, or failed for good: it could not be loaded or its tools could not be
  // offered.
  void Refuse(const absl::Status& why);
  // Says why a reload changed nothing.
  void NoteRefusedReload(const absl::Status& why);
  // Enabled and loaded.
  bool usable() const { return loaded_; }

  // `tool` is one of the manifest's. Errors begin with "plugin '<name>': execute '<tool>'". Those
  // of a call that never reached a plugin are Unavailable without a reason; a process that ended
  // during the call is Unavailable/kPluginCrashed.
  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(const Manifest::Tool& tool,
                                                     tool::Invocation invocation,
                                                     CallContext context);
  // See Host::Call.
  io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                             CallContext context, Repeat repeat);
  // See Host::Open. The stream keeps the supervisor.
  io::Task<absl::StatusOr<std::unique_ptr<PluginStream>>> Open(std::string_view method,
                                                               CallContext context);
  PluginInfo Info() const;
  // Ends the process once its calls have, or HostOptions::drain_grace later, and forgets its
  // crashes. The next call starts another, when the old one has ended.
  void EndProcess();
  // EndProcess, and waits for another to run.
  io::Task<absl::Status> Restart();
  // Waits for a process to run, at most start_timeout: one that was loaded can be relied on then.
  io::Task<absl::Status> Start();

  // `successor` (may be null) takes the calls that come from now on, and the counts.
  void HandOver(const std::shared_ptr<Supervisor>& successor);
  // The one that takes calls now.
  std::shared_ptr<Supervisor> Current();
  // Ends when no call is under way, at `deadline`, or when it is stopped.
  io::Task<void> Drained(SteadyTime deadline);
  // Ends calls, starts and waits with `why`, at once. Stop() is still due.
  void Abort(const absl::Status& why);
  // Abort, and ends the process. Must be awaited before destruction, once.
  io::Task<void> Stop(absl::Status why);

 private:
  using Process = std::shared_ptr<PluginProcess>;
  // What one call is: the method, its request, and who hears what the plugin says meanwhile.
  struct Exchange {
    std::string_view method;
    std::string request;
    Repeat repeat = Repeat::kOnce;
    tool::CallEvents* events = nullptr;
  };
  class NamedStream;

  class Busy;  // while a call is under way

  LaunchSpec MakeLaunchSpec(std::shared_ptr<const Program> file) const;
  // What may run now; notes what stands under a configured path for the first time.
  io::Task<absl::StatusOr<Evidence>> Vet(Purpose purpose);
  absl::Status CheckDeclared();
  io::Task<absl::Status> LoadManifest();
  io::Task<absl::StatusOr<Process>> Launch(CallContext context, bool configure);
  io::Task<absl::Status> Introduce(PluginProcess& process, CallContext context);
  io::Task<absl::Status> AskManifest(PluginProcess& process, Manifest* manifest,
                                     CallContext context);

  io::Task<absl::StatusOr<Process>> Acquire(CallContext context);
  io::Task<absl::Status> WaitForTurn(CallContext context);
  io::Task<absl::Status> WaitForStart(CallContext context);
  io::Task<absl::StatusOr<std::string>> CallAgain(Exchange exchange, CallContext context);
  io::Task<absl::StatusOr<std::string>> CallOnce(Exchange exchange, CallContext context,
                                                 bool* crashed);
  static io::Task<absl::StatusOr<std::string>> Converse(io::Loop& loop, PluginProcess& process,
                                                        Exchange exchange, CallContext context,
                                                        std::size_t max_questions);
  absl::Status NotInUse(std::string_view what) const;
  absl::Status Failed(const absl::Status& error, std::string_view what);
  void BeginStart();
  io::Task<void> RunStart();
  void NoteCrash();
  void Crashed();
  io::Task<void> CleanUpCrash(Process process);
  void Replace(std::string_view why);
  io::Task<void> End(Process process, SteadyTime deadline);
  // Tells the operator and the calls of `process` why it ends before they do.
  void CutOff(PluginProcess& process, std::string_view why);
  void NoteFailure(const absl::Status& error);
  // Takes the serving process away: it gets no more calls.
  Process TakeProcess();
  // Of plugins whose tools depend on their configuration (supervisor_dynamic.cc).
  io::Task<absl::Status> LoadTools();
  io::Task<absl::Status> AskTools(PluginProcess& process, CallContext context);
  io::Task<void> KeepTools();
  io::Task<void> Watch(Process process, CancelToken end);
  void ArmIdleStop(SteadyTime at);
  void IdleStop();
  SandboxPlan MakePlan() const;
  SandboxInfo DescribeSandbox() const;
  absl::Status Named(const absl::Status& error) const;

  // Constant after construction.
  const std::string name_;
  const Found found_;
  const PluginEntry& entry_;  // found_'s
  const std::shared_ptr<PluginLog> log_;
  const Dependencies dependencies_;
  io::Loop& loop_;
  // Set by Load(). `manifest_` is what is in force, `declared_` what the program says of itself: of
  // dynamic plugins they differ in their tools.
  Manifest manifest_, declared_;
  std::string cached_tools_;     // path of a dynamic plugin's manifest in the cache
  bool tools_kept_ = false;      // what is in force is there
  std::string cached_manifest_;  // path, when the manifest came from the cache
  bool loaded_ = false;

  RestartPolicy policy_;
  PluginState state_ = PluginState::kStopped;
  Process process_;               // serves new calls
  std::vector<Process> retired_;  // finish their calls, then end
  std::vector<std::shared_ptr<io::OneShot<absl::Status>>> start_waiters_;
  io::Nursery tasks_;    // the start under way, retirements
  io::Nursery endings_;  // processes being stopped: the next start waits for them
  CancelSource stop_;
  CancelSource watch_;  // of process_
  io::TimerId idle_timer_;
  SteadyTime last_used_{};
  std::uint32_t abandoned_ = 0;  // calls of process_ that passed their deadline
  std::shared_ptr<Supervisor> successor_;
  std::size_t busy_ = 0;  // calls under way, also those that wait for a start
  std::vector<std::shared_ptr<io::OneShot<bool>>> drain_waiters_;
  std::uint64_t calls_ = 0, failures_ = 0, restarts_ = 0;
  bool crashed_before_ = false;  // the next start is a restart
  std::string last_error_;
  std::optional<SandboxReport> sandbox_report_;  // of the last start
};

}  // namespace talon::plugin
