// SPDX-License-Identifier: Apache-2.0
// Who acts. Set by the core at the edge; everything derived from it inherits it and can only narrow
// it. There is no internal, therefore trusted, call. Any thread.
#pragma once

#include <string>

namespace talon {

struct Principal {
  std::string tenant = "default";  // isolation boundary of data
  std::string user = "owner";      // the person, as the edge authenticated them
  std::string agent = "main";      // the agent acting for them
  std::string origin;              // "cli", "http", "cron", "plugin:<name>", …
  bool operator==(const Principal&) const = default;
};

}  // namespace talon
