// SPDX-License-Identifier: Apache-2.0
// The chat channels of the configuration, each running by itself. Owned by daemon/. Loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/secret.h"
#include "channel/options.h"
#include "io/task.h"
#include "plugin/options.h"

namespace talon::agent {
class Agent;
}
namespace talon::io {
class Loop;
}
namespace talon::plugin {
class Host;
}

namespace talon::channel {

class Channels {
 public:
  struct Dependencies {
    io::Loop& loop;
    const Clock& clock;
    agent::Agent& agent;
    plugin::HostOptions limits;  // of their processes
    Redactor& redactor;
    std::string run_directory;   // sockets: short path, 0700
    std::string data_directory;  // the plugins', whose owners tell which users are taken
    plugin::Host& plugins;       // says which programs may run, and confines them
  };

  // Starts those that are enabled. Errors name the channel and what its entry lacks; what goes
  // wrong later is logged. Everything in `dependencies` must outlive them.
  static absl::StatusOr<std::unique_ptr<Channels>> Open(std::map<std::string, ChannelEntry> entries,
                                                        Dependencies dependencies);
  virtual ~Channels() = default;
  // Must be awaited before destruction.
  virtual io::Task<void> Stop() = 0;
};

}  // namespace talon::channel
