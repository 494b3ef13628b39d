// SPDX-License-Identifier: Apache-2.0
// What a configuration may say and is worth a second look all the same: sandbox grants that reach
// the daemon's home, or nothing. Looks at files; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "daemon/paths.h"

namespace talon::daemon {

// One line each, with the place in the file where that is known.
std::vector<std::string> ConfigAdvice(const config::Loaded& loaded, const Paths& paths);

}  // namespace talon::daemon
