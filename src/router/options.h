// SPDX-License-Identifier: Apache-2.0
// `routing:` of talon.yaml: which model is asked first and which take over.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "base/option.h"

namespace talon::router {

struct RoutingOptions {
  std::string primary;
  std::vector<std::string> fallbacks;

  static constexpr auto Fields() {
    using O = RoutingOptions;
    return std::make_tuple(
        Option("primary", &O::primary,
               "The default model, `provider/model` or an alias. Empty: the catalog entry of the "
               "highest weight, else the built-in reflex model."),
        Option("fallbacks", &O::fallbacks,
               "Models tried in order when the chosen one refuses (key, quota, rate limit), is "
               "overloaded, cannot be reached or does not exist any more."));
  }
};

}  // namespace talon::router
