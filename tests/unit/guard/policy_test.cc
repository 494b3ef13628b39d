// SPDX-License-Identifier: Apache-2.0
#include "guard/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "guard/glob.h"

namespace talon::guard {
namespace {

using testing::HasSubstr;

std::string Problems(std::string_view text) {
  const auto policy = ParsePolicy(text, "p.yaml");
  return policy.ok() ? "" : std::string(Message(policy.status()));
}

TEST(PolicyTest, TheBuiltInOneKnowsItsKinds) {
  const auto policy = DefaultPolicy();
  EXPECT_FALSE(policy->rules.empty());
  EXPECT_EQ(policy->KindOf("URL"), SinkKind::kUrl);
  EXPECT_EQ(policy->KindOf("path"), SinkKind::kPath);
  EXPECT_EQ(policy->KindOf("whatever"), SinkKind::kValue);
  EXPECT_FALSE(policy->Trusts("files__read"));
  EXPECT_TRUE(policy->asks.contains(tool::EffectClass::kWrite));
}

TEST(PolicyTest, OwnRulesComeFirstAndListsAreAdded) {
  const auto policy = ParsePolicy(R"(
rules:
  - name: mine
    tools: ["files__*"]
    effects: [write]
    sinks: [path, none]
    read_only: false
    clean: ask
    from: [user, list]
    asked_for: true
    otherwise: refuse
    factor: code
lists: {hosts: [example.com]}
trusted_tools: ["contacts__*"]
asks: {write: [Notiere]}
arguments: {recipient: [Empfänger]}
)",
                                  "p.yaml");
  ASSERT_TRUE(policy.ok()) << StatusText(policy.status());
  const PolicyRule& rule = (*policy)->rules.front();
  EXPECT_EQ(rule.name, "mine");
  EXPECT_EQ(rule.at, "p.yaml:3");
  EXPECT_TRUE(rule.no_sink);
  EXPECT_EQ(rule.sinks, std::vector{SinkKind::kPath});
  EXPECT_EQ(rule.otherwise, Answer::kRefuse);
  EXPECT_EQ(rule.factor, Factor::kCode);
  EXPECT_EQ((*policy)->rules.size(), DefaultPolicy()->rules.size() + 1);
  EXPECT_TRUE((*policy)->Trusts("contacts__find"));
  EXPECT_EQ((*policy)->lists.hosts, std::vector<std::string>{"example.com"});
}

TEST(PolicyTest, EveryProblemIsToldWithItsLine) {
  const std::string problems = Problems(R"(
rules:
  - effects: [wirte]
    from: [user, everybody]
    clean: maybe
    facto: code
    factor: none
  - otherwise: 7
lists:
  hosts: example.com
  host: []
trusted_tools: [""]
)");
  EXPECT_THAT(problems, HasSubstr("p.yaml:3: rules[0].effects[0]: effect 'wirte' is not known"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:4: rules[0].from[1]: 'everybody' is not one of user,"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:5: rules[0].clean: 'maybe' is not one of allow, ask"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:6: rules[0].facto: unknown key; did you mean 'factor'?"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:7: rules[0].factor: an approval needs click or code"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:8: rules[1].otherwise: '7' is not one of"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:10: lists.hosts: must be a list"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:11: lists.host: unknown key; did you mean 'hosts'?"));
  EXPECT_THAT(problems, HasSubstr("p.yaml:12: trusted_tools[0]: must be a text that is not empty"));
}

TEST(PolicyTest, WhatIsNoYamlOrNoMapping) {
  EXPECT_THAT(Problems("rules: [\n"), HasSubstr("p.yaml:"));
  EXPECT_THAT(Problems("- a"), HasSubstr("must be a mapping"));
  EXPECT_THAT(Problems("rules: []\nrules: []\n"), HasSubstr("rules: is there twice"));
  EXPECT_EQ(Problems(""), "");
  EXPECT_TRUE(absl::IsNotFound(LoadPolicy("/no/such/policy.yaml").status()));
}

TEST(GlobTest, Matches) {
  EXPECT_TRUE(GlobMatches("files__*", "files__write"));
  EXPECT_TRUE(GlobMatches("*.example.com", "a.b.example.com"));
  EXPECT_TRUE(GlobMatches("a?c*", "abc"));
  EXPECT_FALSE(GlobMatches("*.example.com", "example.com"));
  EXPECT_FALSE(GlobMatches("files__*", "xfiles__write"));
  EXPECT_FALSE(GlobMatches("", "x"));
  EXPECT_TRUE(GlobMatches("**", ""));
}

}  // namespace
}  // namespace talon::guard
