// SPDX-License-Identifier: Apache-2.0
// talon.v1.Plugin, and the services of what the plugin also is, on a Unix socket. gRPC's completion
// queue is served by a few threads: one that takes a call runs its handler, and there is always
// another one waiting for events, so that a cancellation is seen while handlers run. With nothing
// to do all of them wait without a timeout. Internal to the SDK.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "dispatcher.h"
#include "talon/sdk/serve.h"

namespace talon::sdk {

struct Listening {
  std::string socket_path;
  std::string caller_key;  // calls without it are refused; empty: there is none
};

class Server {
 public:
  // `on_shutdown` runs on one of the server's threads while the Shutdown call is being answered.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Dispatcher& dispatcher, Listening at,
                                                       const ServeOptions& options,
                                                       std::function<void()> on_shutdown);
  // Takes no more calls, gives those under way options.stop_grace, cancels the rest and waits for
  // their handlers.
  virtual ~Server() = default;
};

}  // namespace talon::sdk
