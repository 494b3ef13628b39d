// SPDX-License-Identifier: Apache-2.0
// The contract's test-suite against one plugin program: it is started as the host starts it, in the
// sandbox its manifest and entry give it, asked what it is, configured well and badly, called, and
// ended; everything is noted. What it does wrong becomes a finding, never an error of the checker.
// Loop's thread.
#pragma once

#include <string>
#include <vector>

#include "io/task.h"
#include "plugin/options.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin::check {

enum class Verdict { kPass, kWarn, kFail, kSkip };
std::string_view VerdictName(Verdict verdict);

struct Finding {
  std::string check;  // "start", "describe" …
  Verdict verdict = Verdict::kPass;
  std::string text;  // what was seen, for people
};

enum class Scope {
  kReadOnlyTools,  // executes only tools that say they change nothing
  kAllTools,
};

struct Target {
  std::string name;      // as the configuration would name it
  std::string program;   // absolute path
  PluginEntry entry;     // arguments, environment, configuration, credentials, timeouts, sandbox
  std::string launcher;  // path of talon-launch
  std::string folder;    // for sockets, data and workspace; short path, removed by the caller
};

// The findings in the order of the checks; those behind a check that made them senseless are left
// out. `options` must outlive the task.
io::Task<std::vector<Finding>> CheckPlugin(io::Loop& loop, Target target,
                                           const HostOptions& options, Scope scope);

}  // namespace talon::plugin::check
