// SPDX-License-Identifier: Apache-2.0
#include "plugin/manifest.h"

#include <fmt/format.h>
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
  ExpectRefused("{}", "it names no protocol version; set `protocol`");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":""}]})", "a name is");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":"a b"}]})", "a name is");
  ExpectRefused(R"({"protocol":1,"tools":[{"name":"x"},{"name":"X"}]})", "twice");
  options_.max_tools = 1;
  ExpectRefused(kGood, "2 tools; at most 1");
  EXPECT_FALSE(ParseManifestBytes("\xff\xff", "files", entry_, options_).ok());
}

TEST_F(ManifestTest, VersionsMeetOrAreRefusedWithBothNumbers) {
  EXPECT_TRUE(Parse(R"({"protocol":1,"minProtocol":1})").ok());
  EXPECT_TRUE(Parse(R"({"protocol":7,"minProtocol":1})").ok());
  EXPECT_TRUE(Parse(R"({"protocol":7})").ok());
  ExpectRefused(R"({"protocol":7,"minProtocol":2})",
                "the plugin needs protocol 2 or newer, this daemon speaks 1; update the daemon");
}

TEST_F(ManifestTest, ExtensionPointsAndNeedsAreRead) {
  entry_.expose = true;
  entry_.tasks["sweep"] = {.enabled = false, .every = 7s};
  const auto manifest = Parse(R"({"protocol": 1,
      "auth": {"schemes": ["bearer"]}, "storage": {"ttl": true}, "notify": {"maxTextBytes": 100},
      "tasks": [{"name": "sweep", "everyMs": "5000"}],
      "hook": {"joinpoints": ["input.received"], "priority": -3, "failOpen": true},
      "http": {"routes": [{"method": "GET", "path": "/status/", "public": true}]},
      "model": {"models": [{"id": "small", "contextWindow": "4096", "tools": true}]},
      "needs": {"network": "NETWORK_OUTBOUND", "workspace": "ACCESS_READ",
                "readPaths": ["/etc/hosts"], "credentials": ["GITHUB_TOKEN"], "processes": 5},
      "tools": [{"name": "add", "compensation": "remove", "streams": true},
                {"name": "remove", "asks": true}],
      "dynamic": true, "watch": true})");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->auth->schemes, std::vector<std::string>{"bearer"});
  EXPECT_TRUE(manifest->storage->ttl);
  EXPECT_FALSE(manifest->storage->compare_and_set);
  EXPECT_EQ(manifest->storage->max_value_bytes, 1U << 20);
  EXPECT_EQ(manifest->notify->max_text_bytes, 100U);
  ASSERT_EQ(manifest->tasks.size(), 1U);
  EXPECT_EQ(manifest->tasks[0].every, 7s);
  EXPECT_FALSE(manifest->tasks[0].enabled);
  EXPECT_EQ(manifest->tasks[0].timeout, 60s);
  EXPECT_EQ(manifest->hook->priority, -3);
  EXPECT_TRUE(manifest->hook->fail_open);
  ASSERT_EQ(manifest->http->size(), 1U);
  EXPECT_TRUE(manifest->http->at(0).is_public);
  EXPECT_EQ(manifest->models->at(0).context_window, 4096);
  EXPECT_EQ(manifest->needs.network, Needs::Network::kOutbound);
  EXPECT_EQ(manifest->needs.workspace, Needs::Access::kRead);
  EXPECT_EQ(manifest->needs.read_paths, std::vector<std::string>{"/etc/hosts"});
  EXPECT_EQ(manifest->needs.processes, 5U);
  EXPECT_EQ(manifest->tools[0].spec.compensation, "files__remove");
  EXPECT_TRUE(manifest->tools[0].streams);
  EXPECT_TRUE(manifest->tools[1].asks);
  EXPECT_TRUE(manifest->dynamic);
  EXPECT_TRUE(manifest->watch);
  entry_ = {};
  const auto hidden =
      Parse(R"({"protocol":1,"http":{"routes":[{"method":"GET","path":"/","public":true}]}})");
  EXPECT_FALSE(hidden->http->at(0).is_public) << "the entry does not expose it";
  const auto plain = Parse(R"({"protocol":1})");
  EXPECT_FALSE(plain->auth || plain->storage || plain->notify || plain->hook || plain->http ||
               plain->models);
  EXPECT_EQ(plain->needs.network, Needs::Network::kNone);
}

TEST_F(ManifestTest, BadExtensionPointsAreRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("auth":{})", "manifest: auth: no scheme"},
      {R"("auth":{"schemes":["Bearer"]})", "manifest: auth: scheme 'Bearer'"},
      {R"("tasks":[{"name":"a b","everyMs":"5000"}])", "manifest: task 'a b': a name is"},
      {R"("tasks":[{"name":"a","everyMs":"999"}])", "task 'a': every_ms 999"},
      {R"("tasks":[{"name":"a","everyMs":"1000","timeoutMs":90000000}])", "timeout_ms 90000000"},
      {R"("tasks":[{"name":"a","everyMs":"1000"},{"name":"A","everyMs":"1000"}])", "twice"},
      {R"("hook":{})", "hook: no joinpoint"},
      {R"("hook":{"joinpoints":["a b"]})",
       "joinpoint 'a b' is not known; there are: input.received"},
      {R"("http":{})", "http: no route"},
      {R"("http":{"routes":[{"method":"get","path":"/"}]})", "route 'get /': the method"},
      {R"("http":{"routes":[{"method":"GET","path":"x"}]})", "route 'GET x': the path"},
      {R"("http":{"routes":[{"method":"GET","path":"/a/../b"}]})", "the path"},
      {R"("http":{"routes":[{"method":"GET","path":"/a%2fb"}]})", "the path"},
      {R"("http":{"routes":[{"method":"*","path":"/"},{"method":"*","path":"/"}]})", "twice"},
      {R"("model":{"models":[{"id":"a b"}]})", "model: model 'a b'"},
      {R"("needs":{"readPaths":["etc"]})", "needs: path 'etc'"},
      {R"("needs":{"writePaths":["/a/../etc"]})", "needs: path '/a/../etc'"},
      {R"("needs":{"credentials":["A B"]})", "credential 'A B'"},
      {R"("tools":[{"name":"a","compensation":"a"}])", "tool 'a': its compensation"},
      {R"("tools":[{"name":"a","compensation":"b"}])", "tool 'a': its compensation"},
  };
  for (const auto& [part, text] : cases) {
    ExpectRefused(fmt::format(R"({{"protocol":1,{}}})", part), text);
  }
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
