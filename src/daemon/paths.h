// SPDX-License-Identifier: Apache-2.0
// Where everything is on disk. Any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace talon::daemon {

struct Paths {
  std::string home;    // $TALON_HOME, else ~/.talon
  std::string config;  // $TALON_CONFIG, else <home>/talon.yaml
  // A file named by $TALON_CONFIG must be there.
  config::Missing config_missing = config::Missing::kDefaults;
  std::string plugins;   // $TALON_PLUGIN_DIR, else ../lib/talon/plugins beside the program
  std::string launcher;  // ../lib/talon/talon-launch beside the program

  std::string examples() const { return plugins + "/../examples"; }
  std::string token() const { return home + "/token"; }
  std::string run() const { return home + "/run"; }
  std::string lock() const { return run() + "/lock"; }  // holds its owner's process id
  std::string announcement() const { return home + "/run/daemon.json"; }
  std::string history() const { return home + "/history"; }
};

// NotFound when neither TALON_HOME nor HOME is set.
absl::StatusOr<Paths> FindPaths(const config::Environment& environment);

// InvalidArgument when a token is configured that is too short to be one.
absl::Status CheckToken(const Secret& configured);

// The API token: `configured` when there is one, else the content of the token file, which is made
// at the first call (mode 0600). A token file that others can read is refused.
absl::StatusOr<Secret> ReadOrMakeToken(const Paths& paths, const Secret& configured);

// What a running daemon tells its clients.
struct Announcement {
  long pid = 0;
  std::string bind;
  std::uint16_t port = 0;
};
absl::StatusOr<Announcement> ReadAnnouncement(const Paths& paths);
absl::Status WriteAnnouncement(const Paths& paths, const Announcement& announcement);

}  // namespace talon::daemon
