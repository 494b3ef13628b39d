// SPDX-License-Identifier: Apache-2.0
// A user of its own for each plugin of a daemon that is root. The owner of a plugin's data folder
// is the record of who has which. Blocks; run it on a worker.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::plugin {

// Gives `data_directory`, whose parent holds the data folders of all plugins, to the user that had
// it before, or to the first that no other of them has. Answers the user.
absl::StatusOr<uid_t> GiveToOwnUser(const std::string& data_directory, std::uint32_t first,
                                    std::uint32_t count);

// Gives a folder with all it holds to the user and the group of the same number. Follows no link.
absl::Status GiveFolder(const std::string& folder, uid_t user);

}  // namespace talon::plugin
