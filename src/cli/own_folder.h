// SPDX-License-Identifier: Apache-2.0
// What a script that is tried from the shell is granted besides its entry: to read its own folder,
// where the modules are that it loads. Any thread.
#pragma once

#include <string>
#include <vector>

namespace talon::cli {

// The folder of the script at `program`, without symlinks. None for an ELF program, which stands
// alone, and none that holds `home`: the daemon's own is shown to nobody.
std::vector<std::string> OwnFolder(const std::string& program, const std::string& home);

}  // namespace talon::cli
