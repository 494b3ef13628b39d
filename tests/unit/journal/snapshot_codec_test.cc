// SPDX-License-Identifier: Apache-2.0
#include "journal/snapshot_codec.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::journal {
namespace {

TEST(SnapshotCodec, CompressesWhatIsWorthIt) {
  SnapshotCodec codec(512, 1 << 20);
  const std::string large(5000, 'a');
  const auto packed = codec.Encode(large);
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ(packed->codec, "zstd");
  EXPECT_LT(packed->bytes.size(), 100u);
  EXPECT_EQ(*codec.Decode("zstd", large.size(), packed->bytes), large);
  const auto plain = codec.Encode(std::string(512, 'a'));
  EXPECT_EQ(plain->codec, "plain");
  EXPECT_EQ(*codec.Decode("plain", 512, plain->bytes), std::string(512, 'a'));
}

TEST(SnapshotCodec, RefusesDamageAndExcess) {
  SnapshotCodec codec(512, 10'000);
  EXPECT_TRUE(absl::IsResourceExhausted(codec.Encode(std::string(10'001, 'a')).status()));
  std::string bytes = codec.Encode(std::string(5000, 'a'))->bytes;
  EXPECT_FALSE(codec.Decode("zstd", 4999, bytes).ok());
  EXPECT_FALSE(codec.Decode("zstd", 5001, bytes).ok());
  EXPECT_FALSE(codec.Decode("zstd", std::size_t{1} << 40, bytes).ok());
  EXPECT_FALSE(codec.Decode("zstd", 5000, bytes.substr(0, bytes.size() / 2)).ok());
  EXPECT_FALSE(codec.Decode("lz4", 5000, bytes).ok());
}

}  // namespace
}  // namespace talon::journal
