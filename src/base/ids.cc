// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "base/check.h"

namespace talon {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kTimeChars = 10;
constexpr std::size_t kRandomChars = 16;

using Digits = std::array<std::uint8_t, kRandomChars>;  // five bits each

struct LastId {
  std::mutex mutex;
  std::uint64_t millis = 0;
  Digits digits{};
  // Drawn ahead: a draw costs as much for many as for one.
  std::array<Digits, 16> drawn{};
  std::size_t left = 0;
};

Digits Draw(LastId& last) {
  if (last.left == 0) {
    TALON_CHECK(RAND_bytes(last.drawn.front().data(), static_cast<int>(sizeof last.drawn)) == 1);
    last.left = last.drawn.size();
  }
  Digits digits = last.drawn[--last.left];
  for (std::uint8_t& digit : digits) digit &= 31;
  return digits;
}

// One a process: ids of all sources sort after each other.
LastId& Last() {
  static LastId last;
  return last;
}

}  // namespace

std::string RandomIdSource::Next() {
  const auto now =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  LastId& last = Last();
  std::lock_guard lock(last.mutex);
  if (now > last.millis) {
    last.millis = now;
    last.digits = Draw(last);
  } else {
    for (std::size_t i = last.digits.size(); i-- > 0;) {
      last.digits[i] = static_cast<std::uint8_t>((last.digits[i] + 1) & 31);
      if (last.digits[i] != 0) break;
    }
  }
  std::string id(kTimeChars + kRandomChars, '0');
  std::uint64_t millis = last.millis;
  for (std::size_t i = kTimeChars; i-- > 0; millis >>= 5) id[i] = kAlphabet[millis & 31];
  for (std::size_t i = 0; i < kRandomChars; ++i) id[kTimeChars + i] = kAlphabet[last.digits[i]];
  return id;
}

}  // namespace talon
