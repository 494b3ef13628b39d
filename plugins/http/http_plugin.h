// SPDX-License-Identifier: Apache-2.0
// Tools get and request: HTTP to public addresses.
#pragma once

#include <memory>

#include "talon/sdk/plugin.h"

namespace talon::plugins {

std::unique_ptr<sdk::Plugin> MakeHttpPlugin();

}  // namespace talon::plugins
