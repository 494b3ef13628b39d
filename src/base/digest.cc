// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "base/text.h"

namespace talon {
namespace {

// Looked up once: OpenSSL's own shorthands do it for each digest, which takes longer than a short
// text's digest itself.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  TALON_CHECK(algorithm != nullptr);
  return algorithm;
}

}  // namespace

std::string Sha256Hex(std::string_view data) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  TALON_CHECK(EVP_Digest(data.data(), data.size(), digest, nullptr, Algorithm(), nullptr) == 1);
  return HexEncode({reinterpret_cast<const char*>(digest), sizeof digest});
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TALON_CHECK(context_ != nullptr &&
              EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), Algorithm(), nullptr) == 1);
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256::Update(std::string_view data) {
  TALON_CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data.data(), data.size()) == 1);
}

std::string Sha256::Hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  TALON_CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest, &size) == 1);
  return HexEncode({reinterpret_cast<const char*>(digest), size});
}

std::string HmacSha256Hex(std::string_view key, std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  TALON_CHECK(HMAC(Algorithm(), key.data(), static_cast<int>(key.size()),
                   reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest,
                   &size) != nullptr);
  return HexEncode({reinterpret_cast<const char*>(digest), size});
}

std::string RandomHex(std::size_t count) {
  std::string bytes(count, '\0');
  TALON_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) ==
              1);
  return HexEncode(bytes);
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Base64Encode(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                      reinterpret_cast<const unsigned char*>(bytes.data()),
                                      static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(written));
  return out;
}

bool Base64Decode(std::string_view text, std::string* bytes) {
  if (text.size() % 4 != 0) return false;
  for (char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return false;  // OpenSSL skips them
  }
  bytes->resize(text.size() / 4 * 3);
  if (text.empty()) return true;
  const int written = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes->data()),
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()));
  if (written < 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  bytes->resize(static_cast<std::size_t>(written) - padding);
  // OpenSSL takes '=' anywhere and ignores bits beyond the last byte; one value has one text.
  return Base64Encode(*bytes) == text;
}

}  // namespace talon
