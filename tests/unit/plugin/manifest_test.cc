// SPDX-License-Identifier: Apache-2.0
#include "plugin/manifest.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;

constexpr char kGood[] = R"({
  "protocol": 1, "name": "anything", "version": "2.1", "description": "Files.", "futureField": 7,
  "tools": [
    {"name": "read", "description": "Reads.", "schemaJson": "{\"type\":\"object\"}",
     "effect": "EFFECT_CLASS_READ", "readOnly": true, "timeoutMs": 500},
    {"name": "run", "sinkArguments": ["command"]}]})";

class ManifestTest : public testing::Test {
 protected:
  absl::StatusOr<Manifest> Parse(std::string_view json) {
    return ParseManifestJson(json, "files", entry_, options_);
  }
  void ExpectRefused(std::string_view json, std::string_view text) {
    const auto parsed = Parse(json);
    ASSERT_FALSE(parsed.ok()) << json;
    EXPECT_NE(Message(parsed.status()).find(text), std::string_view::npos) << parsed.status();
  }
  PluginEntry entry_;
  HostOptions options_;
};

TEST_F(ManifestTest, NamesComeFromTheConfiguration) {
  const auto manifest = Parse(kGood);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->version, "2.1");
  ASSERT_EQ(manifest->tools.size(), 2U);
  const tool::ToolSpec& read = manifest->tools[0].spec;
  EXPECT_EQ(read.name, "files__read");
  EXPECT_EQ(read.plugin, "files");
  EXPECT_EQ(read.effect, tool::EffectClass::kRead);
  EXPECT_TRUE(read.read_only);
  EXPECT_EQ(read.timeout, 500ms);
  const tool::ToolSpec& run = manifest->tools[1].spec;
  EXPECT_EQ(run.effect, tool::EffectClass::kExec);
  EXPECT_FALSE(run.read_only);
  EXPECT_EQ(run.sink_arguments, std::vector<std::string>{"command"});
}

TEST_F(ManifestTest, TheEntrysTimeoutBeatsTheTools) {
  entry_.timeout = 7s;
  EXPECT_EQ(Parse(kGood)->tools[0].spec.timeout, 7s);
}

TEST_F(ManifestTest, SurvivesJsonAndBytes) {
  const auto manifest = Parse(kGood);
  const auto again = Parse(*ManifestToJson(*manifest));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(DescribeChange(*manifest, *again), "");
  const auto from_bytes = ParseManifestBytes(manifest->bytes, "files", entry_, options_);
  ASSERT_TRUE(from_bytes.ok());
  EXPECT_EQ(from_bytes->bytes, manifest->bytes);
}

TEST_F(ManifestTest, TellsWhatChanged) {
  const auto before = Parse(kGood);
  const auto after = Parse(R"({"protocol": 1, "version": "2.2", "tools": [
      {"name": "read", "effect": "EFFECT_CLASS_READ"}, {"name": "delete"}]})");
  EXPECT_EQ(
      DescribeChange(*before, *after),
      "tool 'read' differs, new tool 'delete', tool 'run' is gone, version '2.1' is now '2.2'");
}

TEST_F(ManifestTest, RefusesWithTheReason) {
  ExpectRefused("", "manifest:");
  ExpectRefused("not json", "manifest:");
  ExpectRefused("{}", "protocol 0, this daemon 1");
  ExpectRefused(R"({"protocol":2})", "protocol 2, this daemon 1");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":""}]})", "a name is");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":"a b"}]})", "a name is");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":"x"},{"name":"X"}]})", "twice");
  options_.max_tools = 1;
  ExpectRefused(kGood, "2 tools; at most 1");
  EXPECT_FALSE(ParseManifestBytes("\xff\xff", "files", entry_, options_).ok());
}

TEST_F(ManifestTest, LongDescriptionsAreCut) {
  options_.max_description = Bytes{5};
  EXPECT_EQ(Parse(R"({"protocol":1,"description":"123456789"})")->description, "12345");
}

TEST(PluginNameTest, OnlyPlainNamesAndNotOurs) {
  EXPECT_TRUE(CheckPluginName("my-files_2").ok());
  for (const std::string_view name : {"", "talon", "Talon", "a b", "a/b", "a__b", "ü", "../x"}) {
    EXPECT_FALSE(CheckPluginName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckPluginName(std::string(33, 'a')).ok());
}

}  // namespace
}  // namespace talon::plugin
