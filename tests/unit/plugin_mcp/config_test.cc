// SPDX-License-Identifier: Apache-2.0
#include "mcp/config.h"

#include <gtest/gtest.h>

namespace talon::plugins::mcp {
namespace {

ServerConfig One(const char* text, const Credentials& credentials = {}) {
  const auto servers = ParseServers(Json::parse(text), credentials);
  EXPECT_TRUE(servers.ok()) << Why(servers.status());
  return servers.ok() && servers->size() == 1 ? servers->front() : ServerConfig{};
}

std::string Refused(const char* text) {
  const auto servers = ParseServers(Json::parse(text), {});
  return servers.ok() ? "" : Why(servers.status());
}

TEST(Config, TalonsOwnForm) {
  const ServerConfig server = One(
      R"json({"servers":{"fs":{"command":"npx","args":["-y","pkg","$(DIR)"],"env":{"TOKEN":"$(TOKEN)"},
          "cwd":"/tmp","timeout_ms":5000,"tools":{"include":["read*"],"exclude":["read_all"]},
          "effects":{"read*":"read"},"roots":["workspace"],"trust_hints":true,
          "sampling":"off"}}})json",
      {{"TOKEN", "s3cret"}, {"DIR", "/data"}});
  EXPECT_EQ(server.name, "fs");
  EXPECT_EQ(server.args[2], "/data");
  EXPECT_EQ(server.env.at("TOKEN"), "s3cret");
  EXPECT_EQ(server.timeout, std::chrono::milliseconds(5'000));
  EXPECT_EQ(server.effects.at("read*"), sdk::Effect::kRead);
  EXPECT_TRUE(server.trust_hints);
}

TEST(Config, OtherClientsForms) {
  EXPECT_EQ(One(R"json({"mcpServers":{"a":{"type":"http","url":"https://x/mcp",
                    "headers":{"Authorization":"Bearer $(T)"}}}})json",
                {{"T", "abc"}})
                .headers.at("Authorization"),
            "Bearer abc");
  EXPECT_TRUE(
      ParseServers(Json::parse(R"({"mcpServers":{"a":{"command":"x","disabled":true}}})"), {})
          ->empty());
  const ServerConfig open = One(
      R"({"servers":[{"name":"jira","server":"https://j/mcp","context_headers":{"X-U":"user"}}]})");
  EXPECT_EQ(open.url, "https://j/mcp");
  EXPECT_EQ(open.context_headers.at("X-U"), "user");
}

TEST(Config, NothingConfiguredIsNoServer) {
  EXPECT_TRUE(ParseServers(Json::object(), {})->empty());
}

TEST(Config, MistakesAreNamed) {
  const auto says = [](const char* text, const char* what) {
    const std::string error = Refused(text);
    EXPECT_NE(error.find(what), std::string::npos) << text << " → " << error;
  };
  says(R"({"servers":{"a":{}}})", "either 'command' or 'url'");
  says(R"({"servers":{"a":{"command":"x","url":"https://x"}}})", "either");
  says(R"({"servers":{"a":{"command":"x","comand":"y"}}})", "'comand' is not known");
  says(R"({"servers":{"a__b":{"command":"x"}}})", "a__b");
  says(R"({"servers":{"_a":{"command":"x"}}})", "_a");
  says(R"json({"servers":{"a":{"command":"x","env":{"T":"$(MISSING)"}}}})json", "'MISSING'");
  says(R"({"servers":{"a":{"url":"http://far.example/mcp","headers":{"X":"y"}}}})", "https");
  says(R"({"servers":{"a":{"url":"ftp://x"}}})", "https:// or http://");
  says(R"({"servers":{"a":{"url":"https://x","headers":{"X":"a\nb"}}}})", "line end");
  says(R"({"servers":{"a":{"command":"x","sampling":"on"}}})", "sampling");
  says(R"({"servers":{"a":{"command":"x","type":"sse"}}})", "sse");
  says(R"({"servers":{"a":{"command":"x","effects":{"t":"harmless"}}}})", "effects.t");
  says(R"({"servers":{"a":{"command":"x"}},"mcpServers":{"a":{"command":"y"}}})", "twice");
  says(R"({"servers":{"a":{"command":"x","timeout_ms":0}}})", "timeout_ms");
  says(R"({"servers":{"a":{"command":"x","oauth":true}}})", "'oauth' needs a 'url'");
  says(R"({"servers":{"a":{"url":"https://x","oauth":{"grant":"magic"}}}})", "oauth.grant");
  says(R"({"servers":{"a":{"url":"https://x","oauth":{"secret":"x"}}}})", "'oauth.secret'");
  says(R"({"servers":{"a":{"url":"https://x","oauth":{"grant":"client_credentials"}}}})",
       "oauth.client_id");
  says(R"({"servers":{"a":{"url":"https://x","oauth":true,"headers":{"authorization":"b"}}}})",
       "either 'oauth'");
  says(R"({"servers":"a"})", "must map names to servers");
}

// A credential that is given to one server is not seen by another's process or headers.
TEST(Config, CredentialsGoOnlyWhereTheyAreNamed) {
  const auto servers = ParseServers(
      Json::parse(
          R"json({"servers":{"a":{"command":"x","env":{"T":"$(T)"}},"b":{"command":"y"}}})json"),
      {{"T", "s3cret"}});
  ASSERT_TRUE(servers.ok());
  ASSERT_EQ(servers->size(), 2u);
  EXPECT_TRUE(servers->at(1).env.empty());
}

}  // namespace
}  // namespace talon::plugins::mcp
