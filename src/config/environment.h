// SPDX-License-Identifier: Apache-2.0
// TALON_* overrides of single values, by the path of the key. Any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace talon::config {

void ApplyEnvironment(const Environment& environment, Loaded& loaded,
                      std::vector<std::string>& problems);

}  // namespace talon::config
