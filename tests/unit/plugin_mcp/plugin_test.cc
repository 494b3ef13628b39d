// SPDX-License-Identifier: Apache-2.0
// The plugin as the daemon sees it, over a server that is a small script.
#include <gtest/gtest.h>

#include <filesystem>

#include "mcp/json_rpc.h"
#include "mcp/mcp_plugin.h"
#include "talon/sdk/testing.h"

namespace talon::plugins::mcp {
namespace {

// Tools: `ask` tells progress, asks a question and answers with what it heard; `more` adds a tool.
constexpr char kScript[] = R"py(
import json, sys
tools = [{'name': 'ask', 'inputSchema': {'type': 'object', 'properties': {'q': {'type': 'string'}}}},
         {'name': 'more', 'description': 'More.', 'inputSchema': {'type': 'object'}}]
def say(**kw): print(json.dumps({'jsonrpc': '2.0', **kw}), flush=True)
for line in sys.stdin:
    m = json.loads(line)
    if 'method' not in m:
        say(id=call['id'], result={'content': [{'type': 'text', 'text': json.dumps(m['result'])}]})
    elif m['method'] == 'initialize':
        say(id=m['id'], result={'protocolVersion': '2025-11-25',
                                'capabilities': {'tools': {'listChanged': True}},
                                'serverInfo': {'name': 'script', 'version': '1'}})
    elif m['method'] == 'tools/list':
        say(id=m['id'], result={'tools': tools})
    elif m['method'] == 'tools/call' and m['params']['name'] == 'ask':
        call = m
        say(method='notifications/progress',
            params={'progressToken': m['params']['_meta']['progressToken'], 'progress': 1,
                    'total': 2, 'message': 'half'})
        say(id='q1', method='elicitation/create',
            params={'message': m['params']['arguments']['q'], 'requestedSchema':
                    {'type': 'object', 'properties': {'size': {'type': 'string'}}}})
    elif m['method'] == 'tools/call':
        tools.append({'name': 'new', 'inputSchema': {'type': 'object'}})
        say(method='notifications/tools/list_changed')
        say(id=m['id'], result={'content': []})
    elif 'id' in m:
        say(id=m['id'], error={'code': -32601, 'message': 'no'})
)py";

std::string ConfigOf(const std::string& script) {
  return Dump({{"servers", {{"s", {{"command", "python3"}, {"args", {"-c", script}}}}}}});
}

TEST(McpPlugin, WithoutServersThereIsNothing) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  ASSERT_TRUE(harness.Configure("{}").ok());
  EXPECT_EQ(harness.ManifestJson().find("\"tools\""), std::string::npos);
}

TEST(McpPlugin, MistakesInTheConfigurationAreRefused) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  EXPECT_NE(Why(harness.Configure(R"({"sirvers":{}})")).find("sirvers"), std::string::npos);
  EXPECT_NE(Why(harness.Configure(R"({"servers":{"a":{}}})")).find("server 'a'"),
            std::string::npos);
}

TEST(McpPlugin, CallsWithProgressAndQuestions) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  ASSERT_TRUE(harness.Configure(ConfigOf(kScript)).ok());
  EXPECT_NE(harness.ManifestJson().find("\"s__ask\""), std::string::npos);
  sdk::TestCall call;
  std::string told, asked;
  call.on_progress = [&](std::string_view text, double, double) { told = text; };
  call.on_question = [&](const sdk::Question& question) {
    asked = question.text;
    return sdk::Answer{.action = sdk::AnswerAction::kAccept,
                       .content = *sdk::Args::Parse(R"({"size":"l"})", "answer")};
  };
  const auto result = harness.Execute("s__ask", R"({"q":"Which size?"})", call);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(ParseJson(result->content).value_or(Json())["content"]["size"], "l") << result->error;
  EXPECT_EQ(told, "half");
  EXPECT_EQ(asked, "MCP server 's' asks: Which size?");
}

TEST(McpPlugin, NobodyThereIsACancel) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  ASSERT_TRUE(harness.Configure(ConfigOf(kScript)).ok());
  const auto result = harness.Execute("s__ask", R"({"q":"?"})");
  ASSERT_TRUE(result.ok());
  EXPECT_NE(result->content.find("cancel"), std::string::npos) << result->error;
}

TEST(McpPlugin, NewToolsAppear) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  ASSERT_TRUE(harness.Configure(ConfigOf(kScript)).ok());
  ASSERT_TRUE(harness.Execute("s__more", "{}").ok());
  // The server's thread lists again; each call is a round trip to the same script.
  for (int i = 0; i < 1'000 && harness.ManifestJson().find("s__new") == std::string::npos; ++i) {
    ASSERT_TRUE(harness.Execute("s__ask", R"({"q":"?"})").ok());
  }
  EXPECT_NE(harness.ManifestJson().find("s__new"), std::string::npos);
}

// Known from last time, offered before the server is there, and gone when it does not come.
TEST(McpPlugin, WhatWasListedLastTimeIsOfferedAtOnce) {
  char folder[] = "/tmp/talon-mcp-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  {
    sdk::PluginHarness harness(MakeMcpPlugin());
    ASSERT_TRUE(harness.Configure(ConfigOf(kScript), {.data = folder}).ok());
  }
  sdk::PluginHarness harness(MakeMcpPlugin());
  ASSERT_TRUE(harness.Configure(ConfigOf(kScript), {.data = folder}).ok());
  EXPECT_NE(harness.ManifestJson().find("\"s__ask\""), std::string::npos);
  const auto result = harness.Execute("s__ask", R"({"q":"?"})");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->error, "");
  std::filesystem::remove_all(folder);
}

TEST(McpPlugin, OneBrokenServerIsNobodyElsesProblem) {
  sdk::PluginHarness harness(MakeMcpPlugin());
  Json config = *ParseJson(ConfigOf(kScript));
  config["servers"]["broken"] = {{"command", "no-such-program"}};
  ASSERT_TRUE(harness.Configure(Dump(config)).ok());
  EXPECT_NE(harness.ManifestJson().find("\"s__ask\""), std::string::npos);
  const auto status = harness.Execute("status", "{}");
  ASSERT_TRUE(status.ok());
  EXPECT_NE(status->content.find("s: connected, revision 2025-11-25, script 1, 2 tools"),
            std::string::npos)
      << status->content;
  EXPECT_NE(status->content.find("broken: broken"), std::string::npos) << status->content;
  EXPECT_NE(status->content.find("'no-such-program'"), std::string::npos) << status->content;
}

}  // namespace
}  // namespace talon::plugins::mcp
