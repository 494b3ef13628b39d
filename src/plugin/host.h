// SPDX-License-Identifier: Apache-2.0
// The plugin host: knows each plugin's manifest without running it, starts a process on the first
// call, stops it when idle, restarts it when it dies, and puts its tools into the catalogue under
// the name the configuration gives. Nothing a plugin does reaches the caller as more than an error.
// Owned by daemon/. Loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "base/secret.h"
#include "io/task.h"
#include "plugin/credentials.h"
#include "plugin/manifest.h"
#include "plugin/options.h"
#include "tool/catalogue.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

struct HostPaths {
  std::string bundled;    // …/lib/talon/plugins: <name>/{<name>, manifest.json}
  std::string examples;   // …/lib/talon/examples: the same, for those an entry asks for
  std::string run;        // sockets: short path, 0700
  std::string data;       // data directories: <data>/<plugin>
  std::string cache;      // manifests of plugins that ship none, by sha256 of the program
  std::string workspace;  // folder the agent works in
};

enum class PluginState { kDisabled, kStopped, kStarting, kRunning, kBackingOff, kFailed };
std::string_view PluginStateName(PluginState state);

struct PluginInfo {
  std::string name, path, version, description;
  PluginState state = PluginState::kStopped;
  long pid = 0;
  std::uint64_t calls = 0, failures = 0, restarts = 0;
  std::string last_error;
  std::vector<std::string> tools;
};

// Whether a call may be made a second time when the process ended during the first.
enum class Repeat { kOnce, kIfCrashed };

class Host {
 public:
  virtual ~Host() = default;
  // Reads manifests (from the file beside a program, the cache, or by running it once) and fills
  // the catalogue. One bad plugin is reported in List() and the log and does not stop the others.
  // Loading again stops and replaces everything. Cancelled when Stop() comes in between.
  virtual io::Task<absl::Status> Load(std::map<std::string, PluginEntry> plugins) = 0;
  virtual std::vector<PluginInfo> List() const = 0;
  // One unary call of any of the contract's services ("/talon.v1.Storage/Get"), serialised message
  // in and out; starts the plugin when it does not run. `method` is a constant. Errors begin with
  // "plugin '<plugin>': <Get>:"; NotFound when no such plugin is configured, FailedPrecondition
  // when it could not be loaded, else as of a tool call.
  virtual io::Task<absl::StatusOr<std::string>> Call(std::string plugin, std::string_view method,
                                                     std::string request, CallContext context,
                                                     Repeat repeat) = 0;
  // Null when there is no such plugin, or it could not be loaded. Valid until the next Load().
  virtual const Manifest* ManifestOf(std::string_view plugin) const = 0;
  // Ends the plugin's process when its calls have ended; the next call starts it again.
  virtual io::Task<absl::Status> StopOne(std::string plugin) = 0;
  // The same, and starts it again at once, whatever its crashes were.
  virtual io::Task<absl::Status> Restart(std::string plugin) = 0;
  // Stops every process and takes the tools out of the catalogue; calls under way end with
  // Unavailable. Idempotent, also from several places at once; awaited before destruction.
  virtual io::Task<void> Stop() = 0;
};

// What the daemon lends; both may be null.
struct HostServices {
  CredentialSource* credentials = nullptr;  // null: the values in the entries
  Redactor* redactor = nullptr;             // learns the entries' environment and credentials
};

std::unique_ptr<Host> MakeHost(io::Loop& loop, const Clock& clock, tool::Catalogue& catalogue,
                               HostPaths paths, HostOptions options, HostServices services = {});

}  // namespace talon::plugin
