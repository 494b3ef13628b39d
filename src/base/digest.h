// SPDX-License-Identifier: Apache-2.0
// Hashes, random bytes and constant-time comparison, by OpenSSL. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace talon {

// 64 lower-case hex characters.
std::string Sha256Hex(std::string_view data);

// SHA-256 of what comes in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(std::string_view data);
  std::string Hex();  // as Sha256Hex; once

 private:
  void* context_;  // EVP_MD_CTX
};

// HMAC-SHA-256 of `data` under `key`, 64 hex characters.
std::string HmacSha256Hex(std::string_view key, std::string_view data);

// `count` random bytes as 2 × count hex characters.
std::string RandomHex(std::size_t count);

// Compares in time independent of where they differ (length is not hidden).
bool ConstantTimeEquals(std::string_view a, std::string_view b);

std::string Base64Encode(std::string_view bytes);
// False when `text` is not base64 (padding required); `*bytes` is then unspecified.
bool Base64Decode(std::string_view text, std::string* bytes);

}  // namespace talon
