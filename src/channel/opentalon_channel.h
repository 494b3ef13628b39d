// SPDX-License-Identifier: Apache-2.0
// A chat channel in a process of its own that speaks opentalon.channel.v1: its messages become
// turns, the answers go back, at least once. The process is started again when it ends, its stream
// is opened again, answers wait meanwhile; what did not get out goes when the channel opens next.
// Owned by daemon/. Loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/agent.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"
#include "channel/opentalon_wire.h"
#include "channel/options.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "plugin/options.h"
#include "plugin/plugin_log.h"
#include "plugin/plugin_process.h"
#include "plugin/restart_policy.h"
#include "plugin/sandbox.h"

namespace talon::channel {

class OpenTalonChannel {
 public:
  struct Dependencies {
    io::Loop& loop;
    const Clock& clock;
    agent::Agent& agent;
    const plugin::HostOptions& limits;  // of the process
    Redactor& redactor;
    plugin::Sandbox* sandbox;  // null: it runs as the daemon does
    // The program at a path, once it may run.
    std::function<io::Task<absl::StatusOr<std::shared_ptr<const plugin::Program>>>(std::string)>
        admit;
    std::string run_directory;       // sockets: short path, 0700
    std::string data_directory;      // the process's own
    std::function<double()> random;  // [0, 1)
  };

  // Everything in `dependencies` must outlive it.
  OpenTalonChannel(std::string name, ChannelEntry entry, Dependencies dependencies);
  OpenTalonChannel(const OpenTalonChannel&) = delete;
  OpenTalonChannel& operator=(const OpenTalonChannel&) = delete;

  // Runs until Stop(); what goes wrong is logged.
  void Start();
  // Ends the process and the wait for answers, which go out at the next start. Must be awaited
  // before destruction when it was started.
  io::Task<void> Stop();

 private:
  using Process = std::shared_ptr<plugin::PluginProcess>;

  plugin::LaunchSpec MakeLaunchSpec(std::shared_ptr<const plugin::Program> file) const;
  io::Task<void> Run();
  void NoteEnd(const absl::Status& why);  // the next start waits longer
  io::Task<absl::Status> Serve(Process process);
  io::Task<absl::Status> Introduce(plugin::PluginProcess& process);
  io::Task<void> Answer(Inbound message);
  io::Task<absl::StatusOr<TurnId>> Submit(const Inbound& message);
  // Delivers what turns of before have to say, those under way too.
  io::Task<absl::Status> TakeUpUndelivered();
  io::Task<void> Redeliver(TurnId turn, std::string reply_to);
  io::Task<absl::Status> TryAgain(const TurnId& turn, const std::string& reply_to);
  // Waits for the turn's end and sends what came of it.
  io::Task<absl::Status> Deliver(const Inbound& to, const TurnId& turn);
  io::Task<std::string> TextOf(const TurnId& turn);
  io::Task<absl::Status> Send(const Inbound& to, std::string_view text, const std::string& key);
  io::Task<absl::StatusOr<Process>> Running(CallContext context);
  CallContext Within(std::chrono::milliseconds time) const;

  const std::string name_;
  const std::string origin_;  // of its messages
  const ChannelEntry entry_;
  const Dependencies dependencies_;
  io::Loop& loop_;
  plugin::RestartPolicy policy_;
  plugin::PluginLog log_;
  Process serving_;  // null while none takes messages
  Capabilities capabilities_;
  std::vector<std::shared_ptr<io::OneShot<bool>>> waiting_;  // for serving_; shared with timers
  std::size_t answering_ = 0;                                // turns under way
  std::set<TurnId> in_hand_;                                 // turns whose answer is seen to
  std::optional<io::OneShot<bool>> turn_ended_;              // while intake waits for one
  CancelSource stop_;
  io::Nursery running_;  // the run itself
  io::Nursery turns_;
};

// Pieces of at most `max_bytes` (0 = one piece), cut at a line or word where there is one.
std::vector<std::string> CutForChannel(std::string_view text, std::size_t max_bytes);

}  // namespace talon::channel
