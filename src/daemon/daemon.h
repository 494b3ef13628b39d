// SPDX-License-Identifier: Apache-2.0
// The composition root: builds every object from the configuration, in order, and stops them in the
// reverse order. The only place that knows all rooms. Loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/secret.h"
#include "config/config.h"
#include "daemon/paths.h"
#include "io/task.h"

namespace talon::io {
class Loop;
}
namespace talon::router {
class Router;
}

namespace talon::daemon {

class Daemon {
 public:
  // `loop` must outlive it. Nothing is opened before Start().
  Daemon(io::Loop& loop, config::Loaded loaded, Paths paths);
  ~Daemon();

  // Opens the store, listens, learns what plugins offer, takes up unfinished turns, serves. Errors
  // name what to do.
  io::Task<absl::Status> Start();
  // Stops intake, lets turns end for `drain`, parks the rest, stops plugins, closes the store.
  // Idempotent.
  io::Task<void> Stop(std::chrono::milliseconds drain = std::chrono::milliseconds(10'000));

  // Reads the configuration file again: what can change at once does, the rest is named in the log.
  // An error leaves everything as it was. While the daemon starts it is put off until it has.
  absl::Status Reload();

  std::uint16_t port() const;
  const Secret& token() const;
  // For who has just started it: where it answers, and which model.
  std::string url() const;
  std::string model() const;

 private:
  struct Parts;
  io::Task<absl::Status> StartParts();
  absl::Status MakeExtensions();
  io::Task<absl::Status> MakeGuard(std::string workspace);
  absl::StatusOr<std::unique_ptr<router::Router>> MakeRouter(const model::ModelsOptions& models,
                                                             const router::RoutingOptions& routing);
  io::Task<absl::Status> AwaitPlugins();
  absl::Status OpenChannels(std::string sockets);
  void WatchConfig();
  io::Task<void> LoadPlugins();
  io::Task<void> PluginsLoaded(absl::Status status);

  io::Loop& loop_;
  config::Loaded loaded_;
  Paths paths_;
  config::Config running_;                 // as it was at the start
  std::vector<std::string> restart_keys_;  // what of `loaded_` is in force after a restart only
  Secret token_;
  std::unique_ptr<Parts> parts_;
  bool started_ = false;
  bool reload_wanted_ = false;  // while it was not
};

// What only the rooms can check: model names, aliases, prompt files, programs of plugins. Every
// problem is reported, a line each, with its line in the file. Reads prompts and looks for
// programs.
absl::Status CheckConfig(const config::Loaded& loaded);

// The operator's answer to a failed Reload().
void LogNotReloaded(const absl::Status& why);

// `talon serve`: runs until SIGTERM or SIGINT (a second one ends at once); SIGHUP reloads. Returns
// the process's exit code.
int RunDaemon(config::Loaded loaded, Paths paths);

}  // namespace talon::daemon
