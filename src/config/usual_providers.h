// SPDX-License-Identifier: Apache-2.0
// Providers that need no entry in talon.yaml: a usual variable with their key is enough. Data.
#pragma once

#include <span>

#include "model/options.h"

namespace talon::config {

struct UsualProvider {
  const char* variable;  // of the key
  const char* name;
  model::Wire wire;
  const char* base_url;  // empty = the wire's public endpoint
  // What answers when nothing else is chosen: able to call tools, and not the dearest.
  const char* model;
};

// In the order in which one is chosen when several keys are there.
std::span<const UsualProvider> UsualProviders();

}  // namespace talon::config
