// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace talon {
namespace {

TEST(Digest, Sha256OfKnownText) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, RandomIsHexAndDiffers) {
  EXPECT_EQ(RandomHex(0), "");
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_EQ(RandomHex(16).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

TEST(Digest, ComparesInConstantTime) {
  EXPECT_TRUE(ConstantTimeEquals("token", "token"));
  EXPECT_FALSE(ConstantTimeEquals("token", "tokem"));
  EXPECT_FALSE(ConstantTimeEquals("token", "token "));
  EXPECT_TRUE(ConstantTimeEquals("", ""));
}

TEST(Digest, Base64KnownTexts) {
  const std::pair<const char*, const char*> pairs[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : pairs) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    std::string decoded = "left over";
    EXPECT_TRUE(Base64Decode(encoded, &decoded));
    EXPECT_EQ(decoded, plain);
  }
}

TEST(Digest, Base64RoundTripsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    std::string decoded;
    ASSERT_TRUE(Base64Decode(Base64Encode(bytes.substr(0, size)), &decoded));
    ASSERT_EQ(decoded, bytes.substr(0, size));
  }
}

TEST(Digest, Base64RefusesWhatIsNot) {
  std::string decoded;
  for (const char* bad : {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Z=g=", "Zm9v\n",
                          "Zm 9v===", "Zm9-", "Zm9_", "Zg=a", "Zh==", "Zm9="}) {
    EXPECT_FALSE(Base64Decode(bad, &decoded)) << bad;
  }
}

}  // namespace
}  // namespace talon
