// SPDX-License-Identifier: Apache-2.0
#include "launch/policy.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

namespace talon::launch {
namespace {

std::vector<std::string> Whole() {
  return {"talon-launch 1",
          "parent=7",
          "program=/bin/true",
          "directory=/d",
          "scratch=/s",
          "profile=strict",
          "network=outbound",
          "require=1",
          "uid=5000",
          "gid=5001",
          "arg=true",
          "arg=",
          "env=A=b=c",
          "grant=x:/usr",
          "limit=data 4096",
          "tmp=64:/tmp",
          "cgroup=/g",
          "link=/lib",
          "end"};
}

// Null when it is refused. The policy points into `bytes`.
std::unique_ptr<Policy> Read(const std::vector<std::string>& records, std::string& bytes) {
  bytes.clear();
  for (const std::string& record : records) bytes += record + '\0';
  auto policy = std::make_unique<Policy>();
  return ReadPolicy(bytes.data(), bytes.size(), *policy) ? std::move(policy) : nullptr;
}

bool Accepts(const std::vector<std::string>& records) {
  std::string bytes;
  return Read(records, bytes) != nullptr;
}

std::vector<std::string> With(const std::string& record) {
  std::vector<std::string> records = Whole();
  records.insert(records.end() - 1, record);
  return records;
}

TEST(PolicyTest, IsReadWhole) {
  std::string bytes;
  const auto policy = Read(Whole(), bytes);
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(policy->parent, 7U);
  EXPECT_STREQ(policy->program, "/bin/true");
  EXPECT_TRUE(policy->strict && policy->outbound && policy->require && policy->own_uid);
  EXPECT_EQ(policy->uid, 5000U);
  ASSERT_EQ(policy->args.size, 3U);
  EXPECT_STREQ(policy->args.items[1], "");
  EXPECT_EQ(policy->args.items[2], nullptr);
  EXPECT_STREQ(policy->env.items[0], "A=b=c");
  EXPECT_EQ(policy->grants.items[0].mode, 'x');
  EXPECT_STREQ(policy->grants.items[0].path, "/usr");
  EXPECT_EQ(policy->limits.items[0].resource, static_cast<int>(RLIMIT_DATA));
  EXPECT_EQ(policy->limits.items[0].value, 4096U);
  EXPECT_EQ(policy->tmps.items[0].bytes, 64U);
}

TEST(PolicyTest, WhatIsNotUnderstoodRefusesTheWhole) {
  ASSERT_TRUE(Accepts(Whole()));
  for (const char* record : {"",
                             "nonsense",
                             "unknown=1",
                             "parent=8",
                             "require=2",
                             "require=",
                             "profile=none",
                             "network=inbound",
                             "uid=6",
                             "grant=z:/usr",
                             "grant=x:usr",
                             "grant=x",
                             "grant=",
                             "limit=data",
                             "limit=data x",
                             "limit=data 1 ",
                             "limit=cpu 1",
                             "limit=data -1",
                             "limit=data 99999999999999999999",
                             "tmp=x:/tmp",
                             "tmp=5",
                             "tmp=5:tmp",
                             "cgroup=g",
                             "link=lib",
                             "namespaces=yes",
                             "end",
                             "talon-launch 1"}) {
    EXPECT_FALSE(Accepts(With(record))) << record;
  }
}

TEST(PolicyTest, EveryRecordThatMustStandIsMissed) {
  const std::vector<std::string> whole = Whole();
  for (const std::string needed : {"talon-launch 1", "parent=7", "program=/bin/true",
                                   "directory=/d", "scratch=/s", "gid=5001", "end"}) {
    std::vector<std::string> records = whole;
    std::erase(records, needed);
    EXPECT_FALSE(Accepts(records)) << needed;
  }
}

TEST(PolicyTest, IsBounded) {
  std::vector<std::string> records = Whole();
  for (std::size_t i = 0; i < kMaxList; ++i) records.insert(records.end() - 1, "arg=x");
  EXPECT_FALSE(Accepts(records));
  std::string text = "talon-launch 1";
  Policy policy;
  EXPECT_FALSE(ReadPolicy(text.data(), text.size(), policy));
  EXPECT_FALSE(ReadPolicy(text.data(), 0, policy));
}

}  // namespace
}  // namespace talon::launch
