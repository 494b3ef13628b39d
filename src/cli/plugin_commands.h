// SPDX-License-Identifier: Apache-2.0
// `talon plugins VERB` (also `talon plugin VERB`): the table of verbs. A new verb is a function
// below, a line in AddPluginCommands, and a file plugin_<verb>.cc. Each returns the process's exit
// code; main thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/commands.h"

namespace CLI {
class App;
}

namespace talon::cli {

using Run = std::function<int()>;

// `run` becomes what the chosen verb does. Both references must outlive the parsing and the run.
void AddPluginCommands(CLI::App& app, const Globals& globals, Run& run);

int PluginList(const Globals& globals);
int PluginInspect(const Globals& globals, const std::string& name);
// `program`: a path; the program is asked for its manifest in a folder of its own.
int PluginExamine(const Globals& globals, const std::string& program);
// `arguments`: one JSON object, or any number of key=value (text) and key:=value (JSON).
int PluginRun(const Globals& globals, const std::string& name, const std::string& tool,
              const std::vector<std::string>& arguments);
// Shows what would be trusted and asks, unless `yes`.
struct TrustOptions {
  std::string name;
  bool yes = false;
};
int PluginTrust(const Globals& globals, const TrustOptions& options);
struct LogOptions {
  std::string name;
  int lines = 100;
  bool follow = false;
};
int PluginLogs(const Globals& globals, const LogOptions& options);
// A plugin's description, as `inspect` prints it.
void PrintPlugin(const Json& plugin);
// `verb`: what the daemon's API calls it.
int PluginChange(const Globals& globals, const std::string& name, const std::string& verb);
// A project from the template of `language` (cpp, go, python) in `directory`, or in ./<name>. Never
// overwrites.
int PluginNew(const Globals& globals, const std::string& name, const std::string& language,
              const std::string& directory);
// The contract's test-suite against `what` (as of PluginInspect), without a daemon. kFailed when it
// found something.
struct CheckOptions {
  std::string what;
  std::string config_json;                           // empty: that of its entry
  bool all = false;                                  // also tools that are not read-only
  std::string sandbox;                               // profile; empty: of its entry
  std::vector<std::string> read_paths, write_paths;  // besides those of its entry
};
int PluginCheck(const Globals& globals, const CheckOptions& options);

}  // namespace talon::cli
