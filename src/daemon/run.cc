// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "base/terminal.h"
#include "daemon/daemon.h"
#include "daemon/notify.h"
#include "io/descriptor_limit.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/signals.h"

namespace talon::daemon {

int RunDaemon(config::Loaded loaded, Paths paths) {
  // A reader of the log, or a peer, that goes away is an error of that write, not the end.
  ::signal(SIGPIPE, SIG_IGN);
  log::Configure(loaded.config.log.level, loaded.config.log.format, nullptr);
  io::Loop loop;
  io::RaiseDescriptorLimit(loop);
  const std::string token_in =
      loaded.config.gateway.token.empty() ? paths.token() : "gateway.token of the configuration";
  Daemon daemon(loop, std::move(loaded), std::move(paths));
  io::OneShot<bool> ended;
  auto signals = io::WatchSignals(loop, {SIGTERM, SIGINT, SIGHUP}, [&](int signal) {
    if (signal == SIGHUP) {
      if (absl::Status status = daemon.Reload(); !status.ok()) LogNotReloaded(status);
      return;
    }
    if (ended.is_set()) ::_Exit(130);  // asked twice
    ended.Set(true);
  });
  return loop.RunUntilDone(
      [](Daemon& server, io::OneShot<bool>& stop, const std::string& token_in) -> io::Task<int> {
        if (absl::Status started = co_await server.Start(); !started.ok()) {
          std::fprintf(stderr, "talon: cannot start: %s\n", ForTerminal(Message(started)).c_str());
          co_return 1;
        }
        log::Info("listening", {{"port", server.port()},
                                {"url", server.url()},
                                {"token_in", token_in},
                                {"model", server.model()}});
        NotifyServiceManager("READY=1");
        co_await stop.Wait();
        NotifyServiceManager("STOPPING=1");
        log::Info("stopping");
        co_await server.Stop();
        co_return 0;
      }(daemon, ended, token_in));
}

}  // namespace talon::daemon
