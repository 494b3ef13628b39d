// SPDX-License-Identifier: Apache-2.0
// `talon approvals`, `talon grants`, `talon policy`. Main thread.
#pragma once

#include <functional>

#include "cli/commands.h"

namespace CLI {
class App;
}

namespace talon::cli {

void AddGuardCommands(CLI::App& app, const Globals& globals, std::function<int()>& run);

}  // namespace talon::cli
