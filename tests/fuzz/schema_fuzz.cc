// SPDX-License-Identifier: Apache-2.0
// A schema and arguments from outside, separated by the first line end: neither may crash, and
// arguments that were put right pass unchanged the second time.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tool/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto schema = talon::tool::Schema::Compile(text.substr(0, line));
  if (!schema.ok()) return 0;
  std::string once;
  if (!(*schema)->Validate(text.substr(line + 1), &once).ok()) return 0;
  std::string twice;
  TALON_CHECK((*schema)->Validate(once, &twice).ok());
  TALON_CHECK(once == twice);
  return 0;
}
