// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/log.h"

#include <unistd.h>

#include <string>

namespace talon::sdk {

void Log(LogLevel level, std::string_view text) {
  static constexpr const char* kTags[] = {"[DEBUG] ", "[INFO] ", "[WARN] ", "[ERROR] "};
  std::string line = kTags[static_cast<int>(level)];
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    line += control ? ' ' : c;
  }
  line += '\n';
  // A log that cannot be written has nobody to tell.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace talon::sdk
