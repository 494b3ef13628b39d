// SPDX-License-Identifier: Apache-2.0
// What leaves the sanitiser is valid UTF-8, a fixed point, and holds no delimiter of an envelope.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "guard/guard.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t broken = 0;
  const std::string once = talon::guard::SanitizeUntrusted(text, &broken);
  TALON_CHECK(talon::IsValidUtf8(once));
  std::size_t again = 0;
  const std::string twice = talon::guard::SanitizeUntrusted(once, &again);
  TALON_CHECK(twice == once);
  TALON_CHECK(again == 0);
  const std::string lower = talon::ToLowerAscii(once);
  for (const std::string_view form :
       {"[/plugin_output", "[plugin_output", "[tool_call]", "<tool_call>", "<|im_start|>",
        "<invoke name=", "{\"tool\":\"", "\"tool_calls\":[", "\"type\":\"function\""}) {
    TALON_CHECK(lower.find(form) == std::string::npos);
  }
  return 0;
}
