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

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/cancel.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/process.h"
#include "io/task.h"
#include "plugin/launch.h"
#include "plugin/options.h"
#include "plugin/stderr_log.h"
#include "plugin/transport.h"

namespace talon::plugin {

enum class StopKind {
  kGraceful,  // Shutdown, time to end, SIGTERM, time, SIGKILL
  kKill,      // SIGKILL at once
};

class PluginProcess {
 public:
  // Does nothing yet. `options` and `redactor` must outlive the process.
  PluginProcess(io::Loop& loop, LaunchSpec spec, const HostOptions& options,
                const Redactor& redactor);
  ~PluginProcess();
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  // Starts the program, reads its handshake and connects, before `context` ends. Once; Stop() is
  // due whatever it answers.
  io::Task<absl::Status> Start(CallContext context);
  // See PluginTransport::Call.
  io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                             CallContext context);
  bool alive() const;
  std::size_t calls_in_flight() const { return calls_; }
  pid_t pid() const { return pid_; }
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
  // Ends it where it stands; Stop() is still due.
  void Kill();
  // `cause`, and from the second line on what is known of the program, how it ended and its last
  // words (without configured secrets). After Stop().
  io::Task<absl::Status> Explain(absl::Status cause);

 private:
  io::Task<absl::StatusOr<std::string>> ReadHandshake(CallContext context);
  io::Task<void> PumpStdout();
  io::Task<void> PumpStderr();
  io::Task<void> WatchExit();
  io::Task<void> Record();
  io::Task<void> AskToEnd();
  io::Task<void> StderrEnds();
  io::Task<bool> ExitsBy(SteadyTime deadline);
  void Ended();
  std::string ExitText() const;

  io::Loop& loop_;
  const LaunchSpec spec_;
  const HostOptions& options_;
  const Redactor& redactor_;
  std::string socket_directory_;
  std::unique_ptr<io::Process> process_;
  std::unique_ptr<PluginTransport> transport_;
  pid_t pid_ = 0;
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
  bool ended_ = false;
  bool killed_ = false;  // by us
};

}  // namespace talon::plugin
