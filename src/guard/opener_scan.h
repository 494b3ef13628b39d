// SPDX-License-Identifier: Apache-2.0
// Where a form of guard/call_syntax.h or guard/hidden_form.h may be opened, told by two bytes:
// everything else in a text is passed over sixteen bytes at a time. Pure, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block.h"

namespace talon::guard {

struct OpenerTables {
  static constexpr std::uint16_t kHidden = 128;
  static constexpr std::uint16_t kCalls = kHidden - 1;
  static constexpr std::uint16_t kAll = 0xFFFF;

  // Kinds of opener as bits, by their first byte, and which of them a second byte lets pass.
  std::array<std::uint16_t, 256> first{};
  std::array<std::uint16_t, 256> second{};

  constexpr OpenerTables() {
    Kind(1, "\"'", "TFANMRtfanmr_\\");
    Kind(2, "`", "`");
    Kind(4, "\n\r", "HA# \t");
    Kind(8, "[<", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz /\\|<\t\n\r");
    // The brackets of guard/fold.cc.
    Kind(16, "\xE2", "\x80\x81\x8C\x9D\x9F");
    Kind(32, "\xE3", "\x80");
    Kind(64, "\xEF", "\xB8\xB9\xBC");
    Kind(kHidden, "!", "[");
    Kind(kHidden << 1, "<", "!Ii");
    Kind(kHidden << 2, "Hh", "Ii");
    Kind(kHidden << 3, "Ss", "Tt");
    for (std::size_t byte = 0x80; byte < 256; ++byte) second[byte] |= 1 | 8;
  }

  constexpr bool MayOpen(char a, char b, std::uint16_t kinds) const {
    return (first[static_cast<unsigned char>(a)] & second[static_cast<unsigned char>(b)] & kinds) !=
           0;
  }

 private:
  constexpr void Kind(std::uint16_t bit, std::string_view firsts, std::string_view seconds) {
    for (const char c : firsts) first[static_cast<unsigned char>(c)] |= bit;
    for (const char c : seconds) second[static_cast<unsigned char>(c)] |= bit;
  }
};

inline constexpr OpenerTables kOpeners;

// Calls `found(at)` for each place of these kinds in order.
template <typename Found>
void ForEachOpener(std::string_view text, std::uint16_t kinds, Found found) {
  std::size_t at = 0;
  for (; at + kBlock < text.size(); at += kBlock) {
    const Bytes16 block = LoadBlock(text.data() + at);
    const Bytes16 next = LoadBlock(text.data() + at + 1);
    const Bytes16 lower = block | Every(0x20);
    const Bytes16 lower_next = next | Every(0x20);
    // Quotes and letters are many: their second byte is looked at here already.
    const Truth16 quote = (block == Every('"')) | (block == Every('\''));
    const Truth16 key = (lower_next == Every('t')) | (lower_next == Every('f')) |
                        (lower_next == Every('a')) | (lower_next == Every('n')) |
                        (lower_next == Every('m')) | (lower_next == Every('r')) |
                        (next == Every('_')) | (next == Every('\\')) | (next >= Every(0x80));
    const Truth16 attribute = ((lower == Every('h')) & (lower_next == Every('i'))) |
                              ((lower == Every('s')) & (lower_next == Every('t')));
    const Truth16 hit = (quote & key) | attribute | (block == Every('`')) | (block == Every('\n')) |
                        (block == Every('\r')) | (block == Every('[')) | (block == Every('<')) |
                        (block == Every('!')) | (block == Every(0xE2)) |
                        ((block == Every(0xE3)) & (next == Every(0x80))) | (block == Every(0xEF));
    for (unsigned mask = MaskOf(hit); mask != 0;) {
      const std::size_t place = at + TakeFirst(mask);
      if (kOpeners.MayOpen(text[place], text[place + 1], kinds)) found(place);
    }
  }
  // A form has more than one byte.
  for (; at + 1 < text.size(); ++at) {
    if (kOpeners.MayOpen(text[at], text[at + 1], kinds)) found(at);
  }
}

}  // namespace talon::guard
