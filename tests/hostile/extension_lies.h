// SPDX-License-Identifier: Apache-2.0
// Uses a liar's extension points as the daemon does, and looks at what comes through.
#pragma once

#include <string>

#include "base/clock.h"
#include "io/loop.h"
#include "plugin/host.h"

namespace talon::hostile {

// Of the plugin `liar`, which lies in `message` (a name of the contract, "AuthenticateResponse").
// What is not harmless; empty: nothing, or no extension point answers with this message. `folder`
// is made for a journal.
std::string ExtensionProblem(io::Loop& loop, const Clock& clock, plugin::Host& host,
                             const std::string& folder, const std::string& message);

}  // namespace talon::hostile
