// SPDX-License-Identifier: Apache-2.0
#include "io/http_types.h"

#include <gtest/gtest.h>

namespace talon::io {
namespace {

TEST(HeadersTest, NamesCompareWithoutCase) {
  Headers headers = {{"Accept", "a"}, {"accept", "b"}, {"X", "1"}};
  EXPECT_EQ(headers.Get("ACCEPT"), "a");
  EXPECT_TRUE(headers.Has("x"));
  EXPECT_FALSE(headers.Has("y"));
  EXPECT_EQ(headers.Get("y"), "");
  headers.Set("aCCept", "c");
  EXPECT_EQ(headers.items().size(), 2u);
  EXPECT_EQ(headers.Get("accept"), "c");
}

TEST(PercentTest, RoundTripAndInvalidEscapes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(PercentDecode(PercentEncode(all)), all);
  EXPECT_EQ(PercentEncode("a b/\xC3\xA9~"), "a%20b%2F%C3%A9~");
  EXPECT_EQ(PercentDecode("%"), "%");
  EXPECT_EQ(PercentDecode("%4"), "%4");
  EXPECT_EQ(PercentDecode("%zz%4g+%41"), "%zz%4g+A");
}

}  // namespace
}  // namespace talon::io
