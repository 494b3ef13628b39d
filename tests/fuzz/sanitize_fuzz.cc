// SPDX-License-Identifier: Apache-2.0
// What leaves the sanitiser is valid UTF-8, a fixed point, and holds no delimiter of an envelope
// and no call syntax, whether hidden text is kept or shown. In an envelope it has one begin and one
// end, and marked blanks come back as they were.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "guard/guard.h"

namespace {

using talon::guard::HiddenText;

constexpr std::string_view kForms[] = {
    "[/plugin_output", "[plugin_output",        "[tool_call]",      "<tool_call>",
    "<|im_start|>",    "<invoke name=",         "{\"tool\":\"",     "\"tool_calls\":[",
    "[tool_calls]",    "\"type\":\"function\"", "<function_calls>", "\"role\":\"system\"",
    "\n### system:",   "</tool_response>"};
constexpr std::string_view kHiddenForms[] = {"<!--", "![x](https://", "<p hidden>",
                                             "<p style=\"display:none\">"};

std::size_t Count(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

void CheckSanitized(std::string_view text, HiddenText hidden) {
  std::size_t broken = 0;
  const std::string once = talon::guard::SanitizeUntrusted(text, &broken, hidden);
  TALON_CHECK(talon::IsValidUtf8(once));
  std::size_t again = 0;
  const std::string twice = talon::guard::SanitizeUntrusted(once, &again, hidden);
  TALON_CHECK(twice == once);
  TALON_CHECK(again == 0);
  const std::string lower = talon::ToLowerAscii(once);
  for (const std::string_view form : kForms) {
    TALON_CHECK(lower.find(form) == std::string::npos);
  }
  for (const std::string_view form : kHiddenForms) {
    TALON_CHECK(hidden == HiddenText::kKeep || lower.find(form) == std::string::npos);
  }
  const std::string wrapped = talon::guard::WrapPluginOutput("web", "web__get", once);
  TALON_CHECK(Count(wrapped, "[plugin_output") == 1 && Count(wrapped, "[/plugin_output]") == 1);
  TALON_CHECK(talon::guard::PluginOutputText(wrapped) == once);
  if (once.find("\u02C6") == std::string::npos) {
    TALON_CHECK(talon::guard::PluginOutputText(talon::guard::MarkBlanks(wrapped)) == once);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckSanitized(text, HiddenText::kKeep);
  CheckSanitized(text, HiddenText::kShow);
  return 0;
}
