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
#include "plugin/transport.h"
#include "plugin/trust.h"
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
  std::string launcher;   // talon-launch; empty: no plugin is sandboxed
  // <home>/plugins: the user's plugins, plugins.lock, the logs. Empty: none of them.
  std::string home;
  // Of the daemon: what its plugins must not see, whatever folder is granted. Empty: none.
  std::string hidden;
};

enum class PluginState {
  kDisabled,
  kUntrusted,
  kStopped,
  kStarting,
  kRunning,
  kBackingOff,
  kFailed
};
std::string_view PluginStateName(PluginState state);

// The grade as long as nobody has asked what this machine can do: Host::ProbeSandbox().
inline constexpr char kNotProbed[] = "not probed";

// Strings as in the configuration.
struct SandboxInfo {
  std::string profile = "none", grade = "none";
  std::string network, workspace;
  bool require = false;
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;
  std::vector<std::string> layers;        // for people, one a layer
  std::vector<std::string> wanted_paths;  // of the manifest; granted only by the entry
};

struct PluginInfo {
  std::string name, path, version, description;
  PluginState state = PluginState::kStopped;
  Origin origin = Origin::kConfigured;
  long pid = 0;
  std::uint64_t calls = 0, failures = 0, restarts = 0;
  std::string last_error;
  std::vector<std::string> tools;
  SandboxInfo sandbox;
};

// What an operator decides by.
struct PluginReport {
  PluginInfo info;
  std::string program;  // without symlinks; empty when it cannot be examined, `problem` says why
  std::string sha256, manifest_sha256;
  long owner = 0;
  std::string trust;          // "bundled", "trusted", "not pinned", "untrusted"
  std::string problem;        // why it is not trusted
  std::string manifest_json;  // protobuf's JSON mapping; empty when it is not known
  // Of what it declares by itself, for Trust(). Known of a plugin in use and of one that was
  // examined.
  std::string declared_sha256;
};

// What an operator has seen and trusts.
struct TrustedContent {
  std::string sha256, manifest_sha256;
  std::string declared_sha256;  // empty: whatever it declares at its first start
};

// Whether a call may be made a second time when the process ended during the first.
enum class Repeat { kOnce, kIfCrashed };

enum class Switch { kOff, kOn };

class PluginLog;
class Sandbox;

class Host {
 public:
  virtual ~Host() = default;
  // `plugins` and what plugin folders hold become what is offered: reads manifests (from the file
  // beside a program, the cache, or by running it once) and fills the catalogue. One bad plugin is
  // reported in List() and the log and does not stop the others. Loading again adds what is new,
  // reloads what was changed, drains and takes away what is gone, and leaves the rest alone.
  // Cancelled when Stop() comes in between.
  virtual io::Task<absl::Status> Load(std::map<std::string, PluginEntry> plugins) = 0;
  // Those whose manifest is not known yet included.
  virtual std::vector<PluginInfo> List() const = 0;
  // Finds out what this machine can confine, for List() to tell grades. The first start of a
  // confined plugin does the same; once, some tens of milliseconds.
  virtual io::Task<void> ProbeSandbox() = 0;
  // Starts programs for others with the same folder of sockets; the host's, null without launcher.
  virtual Sandbox* sandbox() = 0;
  // One unary call of any of the contract's services ("/talon.v1.Storage/Get"), serialised message
  // in and out; starts the plugin when it does not run. `method` is a constant. Errors begin with
  // "plugin '<plugin>': <Get>:"; NotFound when no such plugin is configured, FailedPrecondition
  // when it could not be loaded, else as of a tool call.
  virtual io::Task<absl::StatusOr<std::string>> Call(std::string plugin, std::string_view method,
                                                     std::string request, CallContext context,
                                                     Repeat repeat) = 0;
  // A call with any number of messages each way; starts the plugin when it does not run. Errors as
  // of Call(), those of Read() included.
  virtual io::Task<absl::StatusOr<std::unique_ptr<PluginStream>>> Open(std::string plugin,
                                                                       std::string_view method,
                                                                       CallContext context) = 0;
  // Null when there is no such plugin, or it could not be loaded. Valid until the plugin is loaded
  // again, which may happen whenever the caller waits.
  virtual const Manifest* ManifestOf(std::string_view plugin) const = 0;
  // Ends the plugin's process when its calls have ended; the next call starts it again.
  virtual io::Task<absl::Status> StopOne(std::string plugin) = 0;
  // The same, and starts it again at once, whatever its crashes were.
  virtual io::Task<absl::Status> Restart(std::string plugin) = 0;
  // Looks for the plugin again, starts what there is now beside the old one, and when that works
  // gives it the calls to come; the old one ends when its calls have. An error
  // leaves the old one as it was. For a moment two processes share the data directory.
  virtual io::Task<absl::Status> Reload(std::string plugin) = 0;
  virtual io::Task<absl::StatusOr<PluginReport>> Inspect(std::string plugin) = 0;
  // Inspect(), and where nothing else tells what an untrusted program offers it is started once and
  // asked: see examine.h. `problem` says why that failed.
  virtual io::Task<absl::StatusOr<PluginReport>> Examine(std::string plugin) = 0;
  // Trusts the program with this content and loads it. Aborted when the content is another by now.
  // A program that then declares something else is refused.
  virtual io::Task<absl::Status> Trust(std::string plugin, TrustedContent content) = 0;
  // The program at `path`, which the configuration names for something that is no plugin, such as a
  // channel: judged as a configured plugin's is, recorded as `name` at its first start. Inspect()
  // and Trust() know it by that name.
  virtual io::Task<absl::StatusOr<std::shared_ptr<const Program>>> Admit(std::string name,
                                                                         std::string path) = 0;
  // Switches a plugin off, or on again, beyond restarts. It runs only when its entry says so too.
  virtual io::Task<absl::Status> SetEnabled(std::string plugin, Switch to) = 0;
  // Null when there is no such plugin.
  virtual PluginLog* LogOf(std::string_view plugin) = 0;
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
