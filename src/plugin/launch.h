// SPDX-License-Identifier: Apache-2.0
// What surrounds a plugin process: its environment, its private folders, and the traces a daemon
// that was killed may have left. Functions marked "blocks" belong on a worker.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/secret.h"
#include "io/process.h"
#include "plugin/handshake.h"
#include "plugin/options.h"
#include "plugin/program.h"
#include "plugin/sandbox_plan.h"

namespace talon::plugin {

struct LaunchSpec {
  std::string name;                     // registry name
  std::string program;                  // absolute path
  std::shared_ptr<const Program> file;  // what was checked and is to run; null runs `program` as is
  std::vector<std::string> args;
  std::map<std::string, Secret> env;
  Protocol protocol = Protocol::kAuto;
  Mtls mtls = Mtls::kAuto;
  std::map<std::string, std::string> cookie;  // besides ours
  std::vector<int> protocol_versions;         // empty: ours
  // Known to the daemon and this process alone: told in its environment, sent with every call. A
  // plugin of talon's SDKs answers no call without it.
  std::string caller_key;
  std::string config_json;  // for contracts that want it before they tell what they are
  // Set: the program makes the socket `file` in the folder that `variable` names, and prints no
  // handshake. What it serves there is not translated.
  struct Socket {
    std::string variable, file;
  };
  std::optional<Socket> socket;
  std::string run_directory;   // socket folders are made in it
  std::string data_directory;  // working directory and HOME
  SandboxPlan sandbox_plan;
};

// Tells a plugin that a daemon started it. Public: it guards against starting by hand, nothing
// else.
inline constexpr char kCookieName[] = "TALON_PLUGIN_COOKIE";
inline constexpr char kCookieValue[] = "talon-plugin-v1";
// Where a plugin reads its caller key, which it is then sent as kCallerKeyHeader.
inline constexpr char kCallerKeyName[] = "TALON_CALLER_KEY";

// PATH of every plugin, unless its entry sets another.
inline constexpr char kPluginPath[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Refuses names that are no environment names and those the daemon sets itself.
absl::Status CheckEnvironment(const std::map<std::string, Secret>& env);
// The same for `cookie` of an entry.
absl::Status CheckCookie(const std::map<std::string, std::string>& cookie);

// What such a plugin is offered in its environment.
Offer MakeOffer(const LaunchSpec& spec);

// Exactly PATH, HOME, TMPDIR, LANG, the handshake's variables and the configured ones. With
// `certificate` (PEM) the plugin is to speak TLS and to trust it.
io::SpawnOptions MakeSpawnOptions(const LaunchSpec& spec, const std::string& socket_directory,
                                  const std::string& certificate = "");

// Makes the data directory and a new socket directory (0700); returns the latter. Fails when its
// path leaves no room for a socket's name. Blocks.
absl::StatusOr<std::string> MakeDirectoriesFor(const LaunchSpec& spec);

// Bytes of the longest `run_directory` with which that works.
std::size_t LongestRunDirectory();

// Notes which process uses the folder, so that RemoveLeftovers can end it. Blocks.
void RecordOwner(const std::string& socket_directory, pid_t pid);

// Removes the folder with all it holds, and its record. Blocks.
void RemoveSocketDirectory(const std::string& socket_directory);

// Ends the plugins of a daemon that was killed and removes their folders. Call before the first
// start. Returns how many folders there were. Blocks.
std::size_t RemoveLeftovers(const std::string& run_directory);

}  // namespace talon::plugin
