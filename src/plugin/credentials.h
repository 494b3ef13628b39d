// SPDX-License-Identifier: Apache-2.0
// Where the secrets come from that a plugin is given when it is configured. A plugin gets those its
// configuration entry names and no others, whatever its manifest would like. Loop's thread.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/secret.h"
#include "io/task.h"
#include "plugin/options.h"

namespace talon::plugin {

using Credentials = std::map<std::string, Secret>;

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // The values of what `entry` names, asked for at every start. An error keeps the plugin from
  // starting and names the credential.
  virtual io::Task<absl::StatusOr<Credentials>> Fetch(std::string plugin, PluginEntry entry) = 0;
};

// The values that stand in the entry itself.
class ConfiguredCredentials : public CredentialSource {
 public:
  io::Task<absl::StatusOr<Credentials>> Fetch(std::string plugin, PluginEntry entry) override;
};

// Names are letters, digits, '_', '-' and '.', at most 64; values are not empty.
absl::Status CheckCredentials(const Credentials& credentials);

}  // namespace talon::plugin
