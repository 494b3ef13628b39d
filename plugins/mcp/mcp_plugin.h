// SPDX-License-Identifier: Apache-2.0
// The tools, resources and prompts of MCP servers as tools of talon.
#pragma once

#include <memory>

#include "talon/sdk/plugin.h"

namespace talon::plugins {

std::unique_ptr<sdk::Plugin> MakeMcpPlugin();

}  // namespace talon::plugins
