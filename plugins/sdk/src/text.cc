// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/text.h"

#include <fmt/format.h>

#include <cstdint>

namespace talon::sdk {
namespace {

// Length of the valid sequence at `i`, or 0.
std::size_t SequenceLength(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(text[k]); };
  const std::uint8_t first = byte(i);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint8_t low = 0x80, high = 0xBF;  // bounds of the second byte
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (length == 0 || i + length > text.size()) return 0;
  if (byte(i + 1) < low || byte(i + 1) > high) return 0;
  for (std::size_t k = i + 2; k < i + length; ++k) {
    if ((byte(k) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::size_t FindInvalidUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string RepairUtf8(std::string text) {
  const std::size_t bad = FindInvalidUtf8(text);
  if (bad == std::string_view::npos) return text;
  std::string out(text, 0, bad);
  for (std::size_t i = bad; i < text.size();) {
    const std::size_t length = SequenceLength(text, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out.append(text, i, length);
      i += length;
    }
  }
  return out;
}

std::string_view TruncateUtf8(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xC0) == 0x80 && max_bytes - end < 4) {
    --end;
  }
  return text.substr(0, end);
}

bool LooksBinary(std::string_view data) {
  return data.substr(0, 8192).find('\0') != std::string_view::npos;
}

std::string HumanSize(unsigned long long bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  const double kilo = static_cast<double>(bytes) / 1024.0;
  if (kilo < 1024) return fmt::format("{:.1f} KB", kilo);
  if (kilo < 1024 * 1024) return fmt::format("{:.1f} MB", kilo / 1024);
  return fmt::format("{:.1f} GB", kilo / 1024 / 1024);
}

}  // namespace talon::sdk
