// SPDX-License-Identifier: Apache-2.0
#include "cli/embedded.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/paths.h"
#include "io/loop.h"
#include "io/one_shot.h"

namespace talon::cli {
namespace {

// Others may have joined the daemon in this process: their turns may end before it does.
constexpr std::chrono::seconds kDrain{30};

}  // namespace

struct Embedded::State {
  io::Loop loop;
  io::OneShot<bool> stop;
  std::promise<absl::Status> ready;
  std::thread thread;
  // Written before `ready`, constant afterwards.
  absl::Status status;
  std::uint16_t port = 0;
  Secret token;

  void Run(config::Loaded loaded, daemon::Paths paths) {
    daemon::Daemon server(loop, std::move(loaded), std::move(paths));
    loop.RunUntilDone([](State& self, daemon::Daemon& daemon) -> io::Task<bool> {
      absl::Status started = co_await daemon.Start();
      if (started.ok()) {
        self.port = daemon.port();
        self.token = daemon.token();
      }
      self.ready.set_value(started);
      if (!started.ok()) co_return false;
      co_await self.stop.Wait();
      co_await daemon.Stop(kDrain);
      co_return true;
    }(*this, server));
  }
};

Embedded::Embedded(config::Loaded loaded, daemon::Paths paths) : state_(std::make_unique<State>()) {
  loaded.config.gateway.http.port = 0;
  loaded.config.gateway.http.bind = "127.0.0.1";
  loaded.config.log.level = std::max(loaded.config.log.level, log::Level::kError);
  auto ready = state_->ready.get_future();
  try {
    state_->thread = std::thread(
        [state = state_.get(), loaded = std::move(loaded), paths = std::move(paths)]() mutable {
          ::pthread_setname_np(::pthread_self(), "talon-embedded");
          state->Run(std::move(loaded), std::move(paths));
        });
  } catch (const std::system_error& error) {
    state_->status = ErrnoToStatus(error.code().value(), "start a thread for the daemon");
    return;
  }
  state_->status = ready.get();
}

Embedded::~Embedded() {
  if (state_->status.ok()) {
    state_->loop.Post([state = state_.get()] { state->stop.Set(true); });
  }
  if (state_->thread.joinable()) state_->thread.join();
}

const absl::Status& Embedded::status() const {
  return state_->status;
}
std::uint16_t Embedded::port() const {
  return state_->port;
}
const Secret& Embedded::token() const {
  return state_->token;
}

}  // namespace talon::cli
