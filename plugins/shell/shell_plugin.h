// SPDX-License-Identifier: Apache-2.0
// Tool run: a command line of /bin/sh in the workspace.
#pragma once

#include <memory>

#include "talon/sdk/plugin.h"

namespace talon::plugins {

std::unique_ptr<sdk::Plugin> MakeShellPlugin();

}  // namespace talon::plugins
