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

struct LastId {
  std::mutex mutex;
  std::uint64_t millis = 0;
  std::array<std::uint8_t, kRandomChars> digits{};  // five bits each
};

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
    TALON_CHECK(RAND_bytes(last.digits.data(), static_cast<int>(last.digits.size())) == 1);
    for (std::uint8_t& digit : last.digits) digit &= 31;
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
