// SPDX-License-Identifier: Apache-2.0
// talon.yaml: whatever is in it, the answer is a configuration or a list of problems.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto loaded =
      talon::config::Parse(text, "fuzz.yaml", [](const char*) -> const char* { return nullptr; });
  if (loaded.ok()) {
    if (talon::config::Show(loaded->config).empty()) std::abort();
    if (!talon::config::Compare(loaded->config, loaded->config).empty()) std::abort();
  } else if (loaded.status().message().empty()) {
    std::abort();
  }
  return 0;
}
