// SPDX-License-Identifier: Apache-2.0
// Calls in which the test plugin says what a script tells it to. Any thread.
#pragma once

#include <functional>

#include "tools.h"

namespace talon::test_plugin {

// What a script can do to its call.
struct Lines {
  std::function<bool(const v1::PluginMessage& message)> say;
  // The daemon's next answer; false: there is none.
  std::function<bool(v1::Answer* answer)> hear;
};

// Runs `script` of the request's arguments; see README.md.
Failure RunScript(const v1::ExecuteRequest& request, const Lines& lines);

}  // namespace talon::test_plugin
