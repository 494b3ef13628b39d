// SPDX-License-Identifier: Apache-2.0
// Values of the right type that cannot work are refused where they stand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "config/config.h"
#include "config/limit.h"

namespace talon::config {
namespace {

using testing::HasSubstr;

std::string LimitProblems(std::string_view yaml,
                          std::map<std::string, std::string> variables = {}) {
  auto loaded = Parse(yaml, "talon.yaml", [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  return loaded.ok() ? "" : std::string(Message(loaded.status()));
}

TEST(ConfigLimit, WhatCannotWorkIsRefusedAtItsLine) {
  EXPECT_EQ(LimitProblems("gateway:\n  http:\n    bind: 300.1.1.1\n"),
            "talon.yaml:3: gateway.http.bind: '300.1.1.1' is not an IP address; write 127.0.0.1, "
            "::1, or 0.0.0.0 for every address");
  EXPECT_EQ(LimitProblems("gateway:\n  http: {max_body: 0}\n"),
            "talon.yaml:2: gateway.http.max_body: 0 is not at least 1B");
  EXPECT_EQ(LimitProblems("models: {providers: {a: {timeout: 0s}}}\n"),
            "talon.yaml:1: models.providers.a.timeout: 0s is not at least 1ms");
  EXPECT_EQ(LimitProblems("orchestrator: {max_rounds_chat: 0}\n"),
            "talon.yaml:1: orchestrator.max_rounds_chat: 0 is not at least 1");
  EXPECT_EQ(LimitProblems("models:\n  catalog:\n    a/b:\n      weight: 500\n"),
            "talon.yaml:4: models.catalog.a/b.weight: 500 is not 0 to 100");
}

TEST(ConfigLimit, AModelsEntryIsChecked) {
  const auto of_model = [](const std::string& text) {
    return LimitProblems("models:\n  providers:\n    a:\n      models:\n        - " + text + "\n");
  };
  EXPECT_EQ(of_model("{id: m, context_window: 0}"),
            "talon.yaml:5: models.providers.a.models[0].context_window: 0 is not at least 1");
  EXPECT_THAT(of_model("{id: m, max_tokens: -1}"), HasSubstr("max_tokens: -1 is not at least 0"));
  EXPECT_EQ(of_model("{id: m, input: [text, smell]}"),
            "talon.yaml:5: models.providers.a.models[0].input[1]: 'smell' is not one of text, "
            "image");
  EXPECT_THAT(of_model("{id: m, features: [flying]}"), HasSubstr("'flying' is not one of tools"));
  EXPECT_THAT(of_model("{id: m, reasoning_effort: huge}"), HasSubstr("'huge' is not one of off"));
  EXPECT_THAT(of_model("{id: m, cost: {input: -0.5}}"), HasSubstr("-0.5 is not at least 0"));
  EXPECT_EQ(of_model("{id: m, reasoning_effort: '', cost: {input: 0.5}}"), "");
  EXPECT_EQ(of_model("{name: nameless}"),
            "talon.yaml:4: models.providers.a.models[0]: it needs an `id`");
}

TEST(ConfigLimit, TwoModelsWithOneIdAreRefusedAtTheSecond) {
  EXPECT_EQ(LimitProblems("models:\n  providers:\n    a:\n      models:\n        - id: m\n"
                          "        - id: n\n        - id: m\n"),
            "talon.yaml:7: models.providers.a.models[2].id: models[0] has this id too: 'm'");
  EXPECT_EQ(
      LimitProblems("models: {providers: {a: {models: [{id: m}]}, b: {models: [{id: m}]}}}\n"), "");
}

TEST(ConfigLimit, NamesOfPluginsAndChannelsAreChecked) {
  EXPECT_THAT(
      LimitProblems("plugins:\n  fine: {}\n  bad name!:\n    enabled: false\n"),
      testing::StartsWith("talon.yaml:3: plugins.bad name!: plugin 'bad name!': a name is"));
  EXPECT_THAT(LimitProblems("channels: {talon: {plugin: /x}}\n"),
              testing::StartsWith("talon.yaml:1: channels.talon:"));
}

TEST(ConfigLimit, EnvironmentOverridesAreCheckedToo) {
  EXPECT_EQ(LimitProblems("", {{"TALON_GATEWAY_HTTP_BIND", "nowhere"}}),
            "environment variable TALON_GATEWAY_HTTP_BIND: 'nowhere' is not an IP address; write "
            "127.0.0.1, ::1, or 0.0.0.0 for every address");
  EXPECT_THAT(LimitProblems("", {{"TALON_ORCHESTRATOR_TURN_TIMEOUT", "0s"}}),
              HasSubstr("0s is not at least 1ms"));
  EXPECT_EQ(LimitProblems("", {{"TALON_GATEWAY_HTTP_BIND", "::1"}}), "");
}

TEST(ConfigLimit, AWrongTypeIsOneProblem) {
  EXPECT_EQ(LimitProblems("gateway: {http: {max_body: lots}}\n"),
            "talon.yaml:1: gateway.http.max_body: 'lots' is not a size; write 512, 64KB, 8MB or "
            "1GB");
}

TEST(ConfigLimit, TheReferenceShowsTheRanges) {
  const std::string text = ReferenceMarkdown();
  for (const char* row : {"| `gateway.http.bind` | text, an IP address |",
                          "| `models.catalog.<name>.weight` | whole number, 0 to 100 |",
                          "| `models.providers.<name>.timeout` | duration, at least 1ms |",
                          "| `models.providers.<name>.models[].input` | list: text, image |",
                          "| `gateway.http.max_body` | size, at least 1B |",
                          "| `state.durability` | choice: power, process |"}) {
    EXPECT_THAT(text, HasSubstr(row));
  }
}

}  // namespace
}  // namespace talon::config
