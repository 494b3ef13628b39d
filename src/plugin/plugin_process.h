// SPDX-License-Identifier: Apache-2.0
// One running plugin: the child process, its connection, its output. From the start of the program
// to the removal of its last file. Owned by a Supervisor (shared with the calls under way). Loop's
// thread. Health is what the kernel tells (exit, end of stream): nothing is polled.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/cancel.h"
#include "io/file_watch.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/process.h"
#include "io/task.h"
#include "plugin/handshake.h"
#include "plugin/launch.h"
#include "plugin/options.h"
#include "plugin/plugin_log.h"
#include "plugin/sandbox_plan.h"
#include "plugin/stderr_log.h"
#include "plugin/tls_identity.h"
#include "plugin/transport.h"

namespace talon::plugin {

class Sandbox;

enum class StopKind {
  kGraceful,  // Shutdown, time to end, SIGTERM, time, SIGKILL
  kKill,      // SIGKILL at once
};

class PluginProcess : public std::enable_shared_from_this<PluginProcess> {
 public:
  // Does nothing yet. `options`, `log`, which gets its stderr, and `sandbox` must outlive the
  // process; without a sandbox, or with the profile "none", the program runs as the daemon does.
  PluginProcess(io::Loop& loop, LaunchSpec spec, const HostOptions& options, PluginLog& log,
                Sandbox* sandbox);
  ~PluginProcess();
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  // Starts the program, reads its handshake and connects, before `context` ends. Once; Stop() is
  // due whatever it answers.
  io::Task<absl::Status> Start(CallContext context);
  // See PluginTransport::Call.
  io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                             CallContext context);
  // See PluginTransport::Open. The stream counts as a call in flight while it lives, and may
  // outlive Stop().
  absl::StatusOr<std::unique_ptr<PluginStream>> Open(std::string_view method, CallContext context);
  // The same, but neither an idle stop nor a drain waits for it.
  absl::StatusOr<std::unique_ptr<PluginStream>> OpenInBackground(std::string_view method,
                                                                 CallContext context);
  bool alive() const;
  std::size_t calls_in_flight() const { return calls_; }
  pid_t pid() const { return pid_; }
  // What its sandbox is, once started; null without one.
  const SandboxReport* sandbox_report() const { return report_ ? &*report_ : nullptr; }
  // Bytes on its stdout behind the handshake.
  std::size_t stray_output() const { return stray_output_; }
  // How it ended, once Stop() has seen it.
  const std::optional<io::ExitResult>& exit_result() const { return exit_; }
  // Runs once, from the loop, when the process exits or its connection ends without Stop().
  void OnEnded(absl::AnyInvocable<void()> callback);
  // Ends when no call is in flight, or at `deadline`. One waiter.
  io::Task<void> Drained(SteadyTime deadline);
  // Must be awaited before destruction, once. Calls in flight end with Unavailable/kPluginCrashed.
  io::Task<void> Stop(StopKind kind);
  // Calls that Stop() or Kill() will end are told `why`.
  void NoteCut(std::string_view why) { cut_ = why; }
  // `error` of a call, or why the daemon has ended the process meanwhile.
  absl::Status WhyEnded(const absl::Status& error) const;
  // Ends it where it stands; Stop() is still due.
  void Kill();
  // `cause`, and from the second line on what is known of the program, how it ended and its last
  // words (without configured secrets). After Stop().
  io::Task<absl::Status> Explain(absl::Status cause);

 private:
  class CountedStream;
  void CallEnded();
  io::Task<absl::Status> SpawnProgram(std::string certificate, CallContext context);
  io::Task<absl::Status> SpawnConfined(io::SpawnOptions direct, CallContext context);
  io::Task<absl::StatusOr<std::string>> ReadHandshake(CallContext context);
  absl::Status WatchSocket();
  io::Task<absl::Status> ConnectTo(Handshake handshake, std::optional<TlsIdentity> identity,
                                   CallContext context);
  io::Task<void> PumpStdout();
  io::Task<void> PumpStdio();
  io::Task<void> PumpStderr();
  io::Task<void> WatchExit();
  io::Task<void> Record();
  io::Task<void> BoundDisk();
  io::Task<void> AskToEnd();
  io::Task<void> StderrEnds();
  io::Task<bool> ExitsBy(SteadyTime deadline);
  void Ended();
  std::string ExitText() const;

  io::Loop& loop_;
  const LaunchSpec spec_;
  const HostOptions& options_;
  PluginLog& log_;
  Sandbox* const sandbox_;
  std::string socket_directory_;
  std::vector<std::string> cgroup_;      // folders, to be removed with it
  std::optional<SandboxReport> report_;  // of talon-launch
  std::unique_ptr<io::Process> process_;
  std::unique_ptr<PluginTransport> transport_;
  std::unique_ptr<io::FileWatch> socket_watch_;  // until the socket of LaunchSpec::socket is there
  pid_t pid_ = 0;
  Dialect dialect_ = Dialect::kGoPlugin;
  io::Nursery tasks_;     // pumps and the exit watch
  CancelSource stopped_;  // ends the exit watch
  StderrLog stderr_;
  io::OneShot<absl::StatusOr<std::string>> handshake_;  // line, exit or timeout: the first counts
  std::shared_ptr<io::OneShot<bool>> stderr_end_;       // shared with a timer
  std::optional<io::ExitResult> exit_;
  std::size_t calls_ = 0;
  std::size_t stray_output_ = 0;
  std::shared_ptr<io::OneShot<bool>> drained_;  // of who waits in Drained(), and its timer
  absl::AnyInvocable<void()> on_ended_;
  absl::Status disk_;  // why it was ended, when its files were the reason
  bool ended_ = false;
  bool killed_ = false;  // by us
  std::string cut_;      // of NoteCut()
};

}  // namespace talon::plugin
