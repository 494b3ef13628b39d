// SPDX-License-Identifier: Apache-2.0
// Asks a program that nobody trusts yet what it is: it is started once, in the sandbox its entry
// says and in folders that are removed afterwards, tells its manifest, and ends. It is given no
// configuration, environment, credentials, network, workspace or folder to write in, whatever its
// entry says. Loop's thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "io/task.h"
#include "plugin/host.h"

namespace talon::plugin {

struct Examinee {
  std::string name;
  PluginEntry entry;     // `plugin` is the program's path
  std::string launcher;  // as of HostPaths
  std::string hidden;    // as of HostPaths
  HostOptions options;
};

// With the manifest and declared_sha256. FailedPrecondition with all that is known when the program
// does not start or tells no valid manifest.
io::Task<absl::StatusOr<PluginReport>> ExamineProgram(io::Loop& loop, const Clock& clock,
                                                      Examinee examinee);

}  // namespace talon::plugin
