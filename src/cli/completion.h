// SPDX-License-Identifier: Apache-2.0
// Completion scripts, made from the tree of commands. Pure; any thread.
#pragma once

#include <string>

#include "cli/command_tree.h"

namespace talon::cli {

// `tree`: of the program itself. Each script walks the words before the cursor, so that options
// between them do no harm, and then offers what fits there.
std::string BashCompletion(const CommandWords& tree);
std::string ZshCompletion(const CommandWords& tree);
std::string FishCompletion(const CommandWords& tree);

}  // namespace talon::cli
