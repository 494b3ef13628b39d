// SPDX-License-Identifier: Apache-2.0
// A server's JSON Schema made fit for the daemon: what the daemon would refuse (references
// elsewhere or in circles, keywords it does not know how to bound) is left out, so that one odd
// tool costs a check and not its server. The server checks its arguments itself. Pure functions,
// any thread.
#pragma once

#include <string>
#include <vector>

#include "mcp/json_rpc.h"

namespace talon::plugins::mcp {

// An object schema of at most 64 KB and 24 levels. Nothing is fetched.
Json FitSchema(const Json& schema);

// The top-level arguments, at most 32: where an effect goes, as long as nobody knows better.
std::vector<std::string> ArgumentNames(const Json& schema);

}  // namespace talon::plugins::mcp
