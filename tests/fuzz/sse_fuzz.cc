// SPDX-License-Identifier: Apache-2.0
// The SSE parser: the same stream gives the same events however it is cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "io/sse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 7;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::size_t kLimit = 1 << 16;
  std::vector<talon::io::SseEvent> whole, pieces;
  const bool whole_ok = talon::io::SseParser(kLimit).Feed(text, whole).ok();
  talon::io::SseParser parser(kLimit);
  bool pieces_ok = true;
  for (std::size_t at = 0; at < text.size() && pieces_ok; at += step) {
    pieces_ok = parser.Feed(text.substr(at, step), pieces).ok();
  }
  if (whole_ok && pieces_ok && whole != pieces) std::abort();
  return 0;
}
