// SPDX-License-Identifier: Apache-2.0
// From a server's configuration to its process: environment, folder, arguments.
#pragma once

#include <string>

#include "mcp/child.h"
#include "mcp/config.h"

namespace talon::plugins::mcp {

// `home`: the plugin's own folder; may be empty. The folder of a command given by its path comes
// first in PATH, unless the configuration names a PATH: what lies beside it (node beside npx) is
// what it was installed with.
ChildPlan PlanChild(const ServerConfig& config, const std::string& home);

}  // namespace talon::plugins::mcp
