// SPDX-License-Identifier: Apache-2.0
#include "base/label.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace talon {
namespace {

using Readers = std::vector<std::string>;

TEST(Label, JoinTakesTheLessTrusted) {
  EXPECT_EQ(Join({Integrity::kUser, {}}, {Integrity::kTrusted, {}}).integrity, Integrity::kTrusted);
  EXPECT_EQ(Join({Integrity::kUntrusted, {}}, {Integrity::kSystem, {}}).integrity,
            Integrity::kUntrusted);
}

TEST(Label, JoinIntersectsReaders) {
  const Label a{Integrity::kUser, {"ann", "bob"}};
  EXPECT_EQ(Join(a, {Integrity::kUser, {"bob", "cat"}}).readers, Readers{"bob"});
  EXPECT_EQ(Join(a, {Integrity::kUser, {}}).readers, Readers{});
  EXPECT_EQ(Join({Integrity::kUser, {}}, a).readers, Readers{});
}

TEST(Label, NamesRoundTrip) {
  for (int i = 0; i < 4; ++i) {
    const auto integrity = static_cast<Integrity>(i);
    EXPECT_EQ(*ParseIntegrity(IntegrityName(integrity)), integrity);
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseIntegrity("root").status()));
}

TEST(Label, ReadersRoundTrip) {
  for (const Readers& readers : {Readers{}, Readers{"ann"}, Readers{"ann", "bob"}}) {
    const Label label{Integrity::kTrusted, readers};
    EXPECT_EQ(MakeLabel(Integrity::kTrusted, ReadersToText(label)), label);
  }
  EXPECT_EQ(MakeLabel(Integrity::kUser, ",ann,,bob,").readers, (Readers{"ann", "bob"}));
}

TEST(Label, CommaInAUserNameAddsNoReader) {
  const Label label{Integrity::kUser, {"ann,bob", "100%2Creal"}};
  EXPECT_EQ(MakeLabel(Integrity::kUser, ReadersToText(label)), label);
}

}  // namespace
}  // namespace talon
