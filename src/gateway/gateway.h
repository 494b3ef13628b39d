// SPDX-License-Identifier: Apache-2.0
// The HTTP API: authentication, Host and Origin checks, and the way to each surface. Owned by
// daemon/. Loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/agent.h"
#include "base/clock.h"
#include "gateway/options.h"
#include "guard/guard.h"
#include "io/http_server.h"
#include "io/task.h"
#include "journal/journal.h"
#include "plugin/host.h"
#include "router/router.h"

namespace talon::plugin {
struct Extensions;
}
namespace talon::hook {
class Hooks;
}
namespace talon::trigger {
class Tasks;
}

namespace talon::gateway {

struct Dependencies {
  io::Loop& loop;
  const Clock& clock;
  IdSource& ids;
  agent::Agent& agent;
  journal::Journal& journal;
  router::Router& router;
  tool::Catalogue& catalogue;
  plugin::Host& plugins;
  const guard::Guard& guard;
  std::string version;
  plugin::Extensions* extensions = nullptr;  // what plugins do besides tools; null: nothing
  trigger::Tasks* tasks = nullptr;           // null: none
  agent::Grants* grants = nullptr;           // null: none
  hook::Hooks* hooks = nullptr;              // null: nobody advises
  // Of calls outside turns: their questions and progress.
  agent::OrchestratorOptions calls = {};
  // Settings that were changed and wait for a restart; null: none.
  const std::vector<std::string>* restart_keys = nullptr;
};

class Gateway {
 public:
  virtual ~Gateway() = default;
  // Listens from Create() on. Until Open() it answers /health; /readyz says 503, and other requests
  // wait.
  static absl::StatusOr<std::unique_ptr<Gateway>> Create(GatewayOptions options,
                                                         Dependencies dependencies);
  virtual std::uint16_t port() const = 0;
  // Takes the requests that wait, and all others: what they may ask for is there.
  virtual void Open() = 0;
  // Takes over what may change while listening: tokens, hosts, origins.
  virtual void Reload(const GatewayOptions& options) = 0;
  // Stops accepting; requests under way end by `deadline`. Awaited before destruction.
  virtual io::Task<void> Drain(SteadyTime deadline) = 0;
};

}  // namespace talon::gateway
