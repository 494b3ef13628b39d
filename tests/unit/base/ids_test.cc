// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace talon {
namespace {

TEST(Ids, AreTwentySixLowerCaseCrockfordCharacters) {
  RandomIdSource ids;
  const std::string id = ids.Next();
  EXPECT_EQ(id.size(), 26u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos);
  EXPECT_LE(id[0], '7');  // 48 bits of time in 50
}

TEST(Ids, SortByBirthAcrossSources) {
  RandomIdSource one;
  RandomIdSource two;
  std::string last;
  for (int i = 0; i < 20000; ++i) {
    std::string id = (i % 2 == 0 ? one : two).Next();
    ASSERT_LT(last, id);
    last = std::move(id);
  }
}

TEST(Ids, AreUniqueAcrossThreads) {
  RandomIdSource ids;
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&ids, &mine] {
      for (int i = 0; i < 2000; ++i) mine.push_back(ids.Next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::unordered_set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 8000u);
}

TEST(Ids, CarryTheirPrefixAndHash) {
  RandomIdSource ids;
  const SessionId id = NewSessionId(ids);
  EXPECT_TRUE(id.str().starts_with("ses_"));
  EXPECT_EQ(id.str().size(), 30u);
  EXPECT_TRUE(NewTurnId(ids).str().starts_with("turn_"));
  const std::unordered_set<SessionId> set = {id};
  EXPECT_TRUE(set.contains(id));
  EXPECT_TRUE(SessionId().empty());
}

}  // namespace
}  // namespace talon
