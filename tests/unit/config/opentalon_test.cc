// SPDX-License-Identifier: Apache-2.0
// A configuration of OpenTalon's means here what it means there, or says why it cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "config/config.h"
#include "config/opentalon_keys.h"

namespace talon::config {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const char* Variable(const char* name) {
  const std::string_view known(name);
  return known == "ANTHROPIC_API_KEY" ? "a-key" : known == "SLACK_TOKEN" ? "s-token" : nullptr;
}

std::string ImportProblems(std::string_view yaml) {
  auto loaded = Parse(yaml, "talon.yaml", Variable);
  return loaded.ok() ? "" : std::string(Message(loaded.status()));
}

TEST(OpenTalonConfig, AnExampleIsUnderstood) {
  const auto loaded = Load(TALON_OPENTALON_EXAMPLE, Missing::kError, Variable);
  ASSERT_TRUE(loaded.ok()) << StatusText(loaded.status());
  const Config& config = loaded->config;
  const auto& retried = config.models.providers.at("ollama");
  EXPECT_EQ(retried.max_attempts, 6u);
  EXPECT_EQ(retried.base_delay, 2s);
  EXPECT_EQ(retried.max_delay, 10s);
  EXPECT_EQ(retried.max_total_wait, 60s);
  EXPECT_TRUE(config.models.providers.at("anthropic").models.at(0).reasoning);
  EXPECT_FALSE(retried.models.at(0).reasoning);
  EXPECT_EQ(config.orchestrator.context_messages, 40u);
  EXPECT_EQ(config.orchestrator.max_concurrent_sessions, 8u);
  const auto& weather = config.plugins.at("weather");
  EXPECT_EQ(weather.mtls, plugin::Mtls::kOff);
  EXPECT_EQ(weather.start_timeout, 20s);
  EXPECT_TRUE(weather.expose);
  EXPECT_EQ(weather.config.text, R"({"retry":{"max_attempts":2},"station":"EDDF"})");
  EXPECT_EQ(config.plugins.at("ledger").mtls, plugin::Mtls::kRequired);
  EXPECT_EQ(config.channels.at("slack").config.text, R"({"token":"s-token"})");
}

TEST(OpenTalonConfig, AMovedKeyIsCheckedWhereItStandsNow) {
  EXPECT_EQ(
      ImportProblems("models:\n  providers:\n    a:\n      retry:\n        max_attempts: many\n"),
      "talon.yaml:5: models.providers.a.max_attempts: 'many' is not a whole number");
  EXPECT_EQ(ImportProblems("models:\n  providers:\n    a:\n      retry:\n        max_atempts: 1\n"),
            "talon.yaml:5: models.providers.a.max_atempts: unknown key; did you mean "
            "'max_attempts'?");
  EXPECT_EQ(ImportProblems("models: {providers: {a: {retry: {max_delay: 1s}, max_delay: 2s}}}\n"),
            "talon.yaml:1: models.providers.a.retry.max_delay: 'models.providers.a.max_delay' is "
            "set too; keep one");
  EXPECT_THAT(ImportProblems("orchestrator: 7\nstate: {session: {context_messages: 3}}\n"),
              HasSubstr("talon.yaml:1: orchestrator: expected a mapping"));
  EXPECT_THAT(ImportProblems("plugins: {a: {insecure: perhaps}}\n"),
              HasSubstr("plugins.a.mtls: 'perhaps' is not one of auto, required, off"));
}

TEST(OpenTalonConfig, WhatDoesNotExistHereSaysWhatToUse) {
  EXPECT_EQ(ImportProblems("state:\n  data_dir: /var/lib/opentalon\n"),
            "talon.yaml:2: state.data_dir: OpenTalon's key, not known here: the home folder is set "
            "by the environment variable TALON_HOME");
  EXPECT_THAT(ImportProblems("routing: {pin: {code: a/b}}\n"), HasSubstr("`routing.primary` is"));
  EXPECT_THAT(
      ImportProblems("plugins: {x: {github: a/b, ref: main}}\n"),
      HasSubstr("plugins.x.ref: OpenTalon's key, not known here: programs are not fetched"));
  EXPECT_THAT(ImportProblems("state: {session: {max_messages: 3, context_messages: 4}}\n"),
              HasSubstr("state.session: OpenTalon's key, not known here: "
                        "`orchestrator.context_messages`"));
  EXPECT_THAT(ImportProblems("redis: {redis_url: x}\n"), HasSubstr("redis: OpenTalon's key"));
  EXPECT_THAT(ImportProblems("reddis: {}\n"), HasSubstr("unknown key"));
}

}  // namespace
}  // namespace talon::config
