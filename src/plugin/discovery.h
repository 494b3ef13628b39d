// SPDX-License-Identifier: Apache-2.0
// Which plugins there are: those of the configuration, and those that stand in plugin folders as
// <folder>/<name>/<name>. A name comes from the configuration or the folder, never from the plugin.
// Blocks; run it on a worker.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/options.h"
#include "plugin/trust.h"

namespace talon::plugin {

struct Found {
  PluginEntry entry;
  std::string program;
  Origin origin = Origin::kConfigured;
  bool operator==(const Found&) const = default;
};

struct PluginFolders {
  std::string bundled;           // whose plugins are there unless an entry says otherwise
  std::string examples;          // installed too, for entries that ask for one
  std::vector<std::string> own;  // the operator's: the first that has a name keeps it
};

// Folders that hold no program of their own name are no plugins; nor are "data", "cache" and
// "logs", which the daemon keeps beside them. A `plugin:` without '/' names a folder, bundled ones
// first.
std::map<std::string, Found> Discover(std::map<std::string, PluginEntry> configured,
                                      const PluginFolders& folders);

}  // namespace talon::plugin
