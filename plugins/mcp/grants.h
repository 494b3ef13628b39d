// SPDX-License-Identifier: Apache-2.0
// What a server that cannot be reached may lack of the plugin's sandbox, told as what to write into
// the plugin's entry. Looks at files and at the network of this process; any thread.
#pragma once

#include <string>
#include <vector>

#include "mcp/child.h"

namespace talon::plugins::mcp {

// "" when nothing is seen to be missing: the program, its interpreter, folders among its arguments
// and the network are looked at. Begins with "; " else.
std::string MissingGrants(const ChildPlan& plan);
// The same for a server behind a url.
std::string MissingNetwork();

// Why a folder that a server is told of is of no use to it; "" when it can be seen.
std::string HiddenFolder(const std::string& path);

}  // namespace talon::plugins::mcp
