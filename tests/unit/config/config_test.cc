// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/status.h"
#include "config/usual_providers.h"
#include "config/values.h"

namespace talon::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

using Variables = std::map<std::string, std::string>;

Environment Env(const Variables& variables) {
  return [variables](const char* name) -> const char* {
    static thread_local std::map<std::string, std::string> kept;
    auto found = variables.find(name);
    if (found == variables.end()) return nullptr;
    return (kept[name] = found->second).c_str();
  };
}

std::string Problems(std::string_view yaml, const Variables& variables = {}) {
  auto loaded = Parse(yaml, "talon.yaml", Env(variables));
  return loaded.ok() ? "" : std::string(Message(loaded.status()));
}

Config Good(std::string_view yaml, const Variables& variables = {}) {
  auto loaded = Parse(yaml, "talon.yaml", Env(variables));
  EXPECT_TRUE(loaded.ok()) << StatusText(loaded.status());
  return loaded.ok() ? loaded->config : Config{};
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  EXPECT_EQ(Good("").gateway.http.port, 8420);
  EXPECT_EQ(Good("# only a comment\n").gateway.http.bind, "127.0.0.1");
}

TEST(Config, ReadsEveryKindOfValue) {
  const Config config = Good(R"(
models:
  providers:
    local:
      base_url: http://127.0.0.1:1/v1
      api_key: secret-value
      headers: {X-Team: blue}
      models:
        - {id: small, context_window: 8192, cost: {input: 0.5, output: 1}}
  catalog:
    local/small: {alias: s, weight: 90}
routing: {primary: s, fallbacks: [reflex/reflex]}
orchestrator:
  rules:
    - "Never send PII"
    - |
      line one
      line two
  turn_timeout: 90s
plugins:
  mine:
    plugin: /opt/mine
    enabled: false
    config: {station: EDDF, deep: [1, 2.5, true, "7"]}
state: {durability: process}
guard: {max_result: 128KB}
)");
  const auto& provider = config.models.providers.at("local");
  EXPECT_EQ(provider.api_key.Reveal(), "secret-value");
  EXPECT_EQ(provider.headers.at("X-Team").Reveal(), "blue");
  EXPECT_EQ(provider.models.at(0).context_window, 8192);
  EXPECT_DOUBLE_EQ(provider.models.at(0).cost.input, 0.5);
  EXPECT_EQ(config.models.catalog.at("local/small").weight, 90u);
  EXPECT_THAT(config.routing.fallbacks, ElementsAre("reflex/reflex"));
  EXPECT_THAT(config.orchestrator.rules, ElementsAre("Never send PII", "line one\nline two\n"));
  EXPECT_EQ(config.orchestrator.turn_timeout, std::chrono::seconds(90));
  EXPECT_FALSE(config.plugins.at("mine").enabled);
  EXPECT_EQ(config.plugins.at("mine").config.text, R"({"deep":[1,2.5,true,"7"],"station":"EDDF"})");
  EXPECT_EQ(config.state.durability, store::Durability::kProcess);
  EXPECT_EQ(config.guard.max_result.value, 128u << 10);
}

TEST(Config, UnknownKeysAreNamedWithLineAndNearestKey) {
  EXPECT_EQ(Problems("gateway:\n  http:\n    prot: 1\n"),
            "talon.yaml:3: gateway.http.prot: unknown key; did you mean 'port'?");
  EXPECT_THAT(Problems("zzzzzzzzzz: 1\n"), HasSubstr("unknown key; known: models, routing"));
}

TEST(Config, ASecondDocumentIsRefused) {
  EXPECT_THAT(Problems("log: {level: info}\n---\nlog: {level: debug}\n"),
              HasSubstr("a second document begins here"));
  EXPECT_EQ(Problems("---\nlog: {level: info}\n"), "");
}

TEST(Config, AStrayCommaEnds) {
  EXPECT_THAT(Problems(",[a"), HasSubstr("a second document begins here"));
}

TEST(Config, ADurationThatCannotBeAddedToAClockIsRefused) {
  EXPECT_EQ(Problems("orchestrator: {turn_timeout: 3000000h}\n"),
            "talon.yaml:1: orchestrator.turn_timeout: '3000000h' is longer than 36500d");
}

TEST(Config, WrongTypesSayWhatWasExpected) {
  EXPECT_EQ(Problems("gateway: {http: {port: many}}\n"),
            "talon.yaml:1: gateway.http.port: 'many' is not a whole number");
  EXPECT_THAT(Problems("gateway: {http: {port: 70000}}\n"), HasSubstr("not between 0 and 65535"));
  EXPECT_THAT(Problems("gateway: {http: {port: -1}}\n"), HasSubstr("not between"));
  EXPECT_THAT(Problems("orchestrator: {rules: text}\n"), HasSubstr("expected a list"));
  EXPECT_THAT(Problems("orchestrator: [1]\n"), HasSubstr("expected a mapping, found a list"));
  EXPECT_THAT(Problems("orchestrator: {turn_timeout: 5}\n"), HasSubstr("write 500ms, 30s"));
  EXPECT_THAT(Problems("state: {durability: maybe}\n"), HasSubstr("not one of power, process"));
  EXPECT_THAT(Problems("log: {level: {a: 1}}\n"), HasSubstr("expected a choice, found a mapping"));
}

TEST(Config, AllProblemsAreReportedAtOnce) {
  const std::string problems = Problems("gatewy: 1\nstate: {durability: x}\nlog: {level: loud}\n");
  EXPECT_THAT(problems, HasSubstr("talon.yaml:1: gatewy"));
  EXPECT_THAT(problems, HasSubstr("talon.yaml:2: state.durability"));
  EXPECT_THAT(problems, HasSubstr("talon.yaml:3: log.level"));
}

TEST(Config, InvalidYamlNamesTheLine) {
  EXPECT_THAT(Problems("a: b\n  c: [\n"), HasSubstr("talon.yaml:2: not valid YAML"));
  EXPECT_THAT(Problems("gateway:\n\thttp: {port: 0}\n"),
              HasSubstr("talon.yaml:2: a tab indents this line"));
}

TEST(Config, VariablesExpandAnywhereInText) {
  const Config config = Good(
      "models:\n  providers:\n    a:\n      api_key: ${KEY}\n      base_url: "
      "http://${HOST:-h}:1/\n",
      {{"KEY", "k-1"}});
  EXPECT_EQ(config.models.providers.at("a").api_key.Reveal(), "k-1");
  EXPECT_EQ(config.models.providers.at("a").base_url, "http://h:1/");
}

TEST(Config, AnUnsetVariableIsAnError) {
  EXPECT_THAT(Problems("models: {providers: {a: {api_key: '${NOT_SET}'}}}\n"),
              HasSubstr("environment variable 'NOT_SET' is not set"));
  EXPECT_THAT(Problems("workspace: '${oops'\n"), HasSubstr("without '}'"));
}

TEST(Config, ForeignSettingsExpandVariablesToo) {
  const Config config = Good(
      "plugins: {a: {config: {url: 'http://${HOST}/', list: ['${HOST}', 1]}}}\n", {{"HOST", "h"}});
  EXPECT_EQ(config.plugins.at("a").config.text, R"({"list":["h",1],"url":"http://h/"})");
  EXPECT_EQ(Problems("plugins:\n  a:\n    config:\n      token: ${NOT_SET}\n"),
            "talon.yaml:4: plugins.a.config.token: environment variable 'NOT_SET' is not set; set "
            "it or write ${NOT_SET:-default}");
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = "[" + deep + "]";
  EXPECT_THAT(Problems("plugins: {a: {config: {x: " + deep + "}}}\n"),
              HasSubstr("nested deeper than 32 levels"));
}

TEST(Config, AKeyThatStandsTwiceIsAnError) {
  EXPECT_EQ(Problems("routing: {primary: a}\nlog: {}\nrouting: {primary: b}\n"),
            "talon.yaml:3: routing: the key stands here twice; first in line 1");
  EXPECT_THAT(Problems("models:\n  providers:\n    a: {}\n    a: {}\n"),
              HasSubstr("talon.yaml:4: models.providers.a: the key stands here twice"));
  EXPECT_THAT(Problems("plugins: {a: {config: {x: 1, x: 2}}}\n"),
              HasSubstr("plugins.a.config.x: the key stands here twice"));
}

TEST(Config, LaterErrorsGetTheLineOfTheirKey) {
  auto loaded = Parse("# x\nrouting:\n  fallbacks: [nosuch]\n", "talon.yaml", Env({}));
  ASSERT_TRUE(loaded.ok());
  const auto text = [&](std::string_view error) {
    return std::string(Message(AtItsLine(*loaded, InvalidArgument(error))));
  };
  EXPECT_EQ(text("routing.fallbacks: unknown model"),
            "talon.yaml:3: routing.fallbacks: unknown model");
  EXPECT_EQ(text("routing.fallbacks[0].deep: x"), "talon.yaml:3: routing.fallbacks[0].deep: x");
  EXPECT_EQ(text("routing.primary: x"), "talon.yaml:2: routing.primary: x");
  EXPECT_EQ(text("open store: disk full"), "open store: disk full");
}

TEST(Config, ANamedFileMustBeThere) {
  EXPECT_TRUE(Load("/nonexistent/talon.yaml", Missing::kDefaults, Env({})).ok());
  const auto named = Load("/nonexistent/talon.yaml", Missing::kError, Env({}));
  EXPECT_EQ(Message(named.status()),
            "configuration: '/nonexistent/talon.yaml' does not exist; correct TALON_CONFIG or "
            "unset it");
}

constexpr char kCredentials[] = R"(
models:
  providers:
    a: {headers: {Authorization: "Bearer sk-header-secret", X-Team: production}}
plugins:
  p:
    env: {API_SECRET: env-secret-1, REGION: eu-central}
    config:
      api_key: config-secret
      region: ${REGION}
      nested: [{password: "nested-secret"}, plain-value]
)";

TEST(Config, CredentialsAreNeitherShownNorReported) {
  const Config config = Good(kCredentials, {{"REGION", "region-from-variable"}});
  Config changed = config;
  changed.plugins.at("p").config.text = "{}";
  changed.models.providers.at("a").headers["Authorization"] = Secret("Bearer sk-other");
  std::string told = Show(config);
  for (const Change& change : Compare(config, changed)) told += change.before + change.after;
  for (const char* secret : {"sk-header-secret", "sk-other", "env-secret-1", "config-secret",
                             "nested-secret", "region-from-variable"}) {
    EXPECT_THAT(told, Not(HasSubstr(secret)));
  }
  EXPECT_THAT(told, HasSubstr("plain-value"));
  EXPECT_EQ(Compare(config, changed).size(), 2u);
}

TEST(Config, SecretsAreGatheredForTheRedactor) {
  std::set<std::string> values;
  for (const Secret& secret : SecretsOf(Good(kCredentials, {{"REGION", "r"}}))) {
    values.insert(secret.Reveal());
  }
  EXPECT_THAT(values,
              IsSupersetOf({"sk-header-secret", "env-secret-1", "config-secret", "nested-secret"}));
  EXPECT_THAT(values, Not(Contains("production")));
  EXPECT_THAT(values, Not(Contains("eu-central")));
}

TEST(Config, EnvironmentOverridesByPath) {
  const Config config = Good("gateway: {http: {port: 1}}\nmodels: {providers: {my: {}}}\n",
                             {{"TALON_GATEWAY_HTTP_PORT", "7"},
                              {"TALON_STATE_DURABILITY", "process"},
                              {"TALON_MODELS_PROVIDERS_MY_BASE_URL", "http://x/"}});
  EXPECT_EQ(config.gateway.http.port, 7);
  EXPECT_EQ(config.state.durability, store::Durability::kProcess);
  EXPECT_EQ(config.models.providers.at("my").base_url, "http://x/");
  EXPECT_THAT(Problems("", {{"TALON_GATEWAY_HTTP_PORT", "x"}}),
              HasSubstr("environment variable TALON_GATEWAY_HTTP_PORT: 'x' is not a whole number"));
}

TEST(Config, AVariableThatNothingReadsIsNamedWithTheNearest) {
  auto unknown = [](std::string_view yaml, const std::vector<std::string>& set) {
    Variables variables = {{"TALON_OWN", "x"}};
    auto loaded = Parse(yaml, "talon.yaml", Env(variables));
    EXPECT_TRUE(loaded.ok()) << StatusText(loaded.status());
    return UnknownVariables(*loaded, set);
  };
  EXPECT_THAT(unknown("", {"TALON_GATEWAY_HTTP_PROT", "TALON_HOEM", "TALON_X"}),
              ElementsAre("environment variable TALON_GATEWAY_HTTP_PROT: nothing reads it; did you "
                          "mean TALON_GATEWAY_HTTP_PORT?",
                          "environment variable TALON_HOEM: nothing reads it; did you mean "
                          "TALON_HOME?",
                          HasSubstr("TALON_X: nothing reads it; TALON_<KEY> sets a key")));
  // No false alarms: keys, short names, what others read, what the file itself asks for.
  EXPECT_THAT(unknown("", {"TALON_GATEWAY_HTTP_PORT", "TALON_GATEWAY_PORT", "TALON_MODEL",
                           "TALON_GATEWAY_TOKEN", "TALON_HOME", "TALON_CONFIG", "TALON_PLUGIN_DIR",
                           "TALON_LONG", "TALON_BENCH_BUILD", "TALON_KILL_AT"}),
              ElementsAre());
  EXPECT_THAT(unknown("workspace: '/w/${TALON_OWN}'\n", {"TALON_OWN"}), ElementsAre());
  EXPECT_THAT(unknown("", {"TALON_OWN"}), ElementsAre(HasSubstr("TALON_OWN: nothing reads it")));
  // A provider's key counts where there is such a provider.
  const std::string key = "TALON_MODELS_PROVIDERS_MY_BASE_URL";
  EXPECT_THAT(unknown("models: {providers: {my: {}}}\n", {key}), ElementsAre());
  EXPECT_THAT(unknown("", {key}), ElementsAre(HasSubstr("nothing reads it")));
}

TEST(Config, AVariableForAListIsRefused) {
  EXPECT_THAT(Problems("", {{"TALON_ORCHESTRATOR_RULES", "x"}}),
              HasSubstr("TALON_ORCHESTRATOR_RULES: only single values can be set so"));
}

TEST(Config, TheJournalIsConfigured) {
  const Config config = Good("journal: {compress_from: 4KB, known_snapshots: 7}\n");
  EXPECT_EQ(config.journal.compress_from.value, 4096u);
  EXPECT_EQ(config.journal.known_snapshots, 7u);
}

TEST(Config, UsualKeyVariablesDefineProviders) {
  const Config config =
      Good("", {{"ANTHROPIC_API_KEY", "a-key"}, {"TALON_MODEL", "anthropic/some"}});
  EXPECT_EQ(config.models.providers.at("anthropic").api, model::Wire::kAnthropic);
  EXPECT_EQ(config.models.providers.at("anthropic").api_key.Reveal(), "a-key");
  EXPECT_EQ(config.routing.primary, "anthropic/some");
}

TEST(Config, AKeyAloneChoosesAModel) {
  for (const UsualProvider& usual : UsualProviders()) {
    const Config config = Good("", {{usual.variable, "a-key"}});
    EXPECT_EQ(config.routing.primary, std::string(usual.name) + "/" + usual.model);
    EXPECT_EQ(config.models.providers.at(usual.name).base_url, usual.base_url);
  }
  EXPECT_EQ(Good("", {}).routing.primary, "");
  const Config two = Good("", {{"OPENROUTER_API_KEY", "a"}, {"ANTHROPIC_API_KEY", "b"}});
  EXPECT_TRUE(two.routing.primary.starts_with("anthropic/"));
}

TEST(Config, AKeyInTheEnvironmentDoesNotOverruleTheConfiguration) {
  const std::map<std::string, std::string> key = {{"OPENAI_API_KEY", "a-key"}};
  EXPECT_EQ(Good("models: {providers: {my: {models: [{id: m}]}}}\n", key).routing.primary, "");
  EXPECT_EQ(
      Good("models: {providers: {my: {}}, catalog: {my/m: {weight: 1}}}\n", key).routing.primary,
      "");
  EXPECT_EQ(Good("routing: {primary: reflex/reflex}\n", key).routing.primary, "reflex/reflex");
  // Somebody else's server under a usual name has models of its own.
  EXPECT_EQ(Good("models: {providers: {openai: {api_key: k, base_url: http://x/}}}\n", {})
                .routing.primary,
            "");
  EXPECT_EQ(Good("models: {providers: {openai: {api_key: k}}}\n", {}).routing.primary,
            "openai/gpt-5-mini");
}

TEST(Config, ShowHidesSecretsAndParsesBack) {
  Config config = Good("models: {providers: {a: {api_key: very-secret, models: [{id: m}]}}}\n");
  config.gateway.token = Secret("token-token-token");
  const std::string yaml = Show(config);
  EXPECT_THAT(yaml, Not(HasSubstr("very-secret")));
  EXPECT_THAT(yaml, Not(HasSubstr("token-token")));
  EXPECT_THAT(yaml, HasSubstr("api_key: [redacted]"));
}

TEST(Config, TheExampleIsTheDefaults) {
  auto loaded = Parse(ExampleYaml(), "example", Env({}));
  ASSERT_TRUE(loaded.ok()) << StatusText(loaded.status());
  EXPECT_EQ(Compare(Config{}, loaded->config).size(), 0u);
}

TEST(Config, TheReferenceHasARowForNestedKeys) {
  const std::string text = ReferenceMarkdown();
  EXPECT_THAT(text, HasSubstr("| `gateway.http.port` | whole number | `8420` | restart |"));
  EXPECT_THAT(text, HasSubstr("| `models.providers.<name>.api_key` | secret |"));
  EXPECT_THAT(text, HasSubstr("| `plugins.<name>.idle_stop` | duration | `1m` |"));
}

TEST(Config, CompareNamesWhatChangedAndWhenItCounts) {
  Config before = Good("models: {providers: {a: {api_key: secret-one}}}\n");
  Config after = before;
  after.log.level = log::Level::kDebug;
  after.gateway.http.port = 1;
  after.models.providers["a"].api_key = Secret("secret-two");
  after.plugins["new"];
  std::map<std::string, Change> changes;
  for (Change& change : Compare(before, after)) changes[change.key] = change;
  EXPECT_EQ(changes.at("log.level").reload, Reload::kLive);
  EXPECT_EQ(changes.at("log.level").after, "debug");
  EXPECT_EQ(changes.at("gateway.http.port").reload, Reload::kRestart);
  EXPECT_EQ(changes.at("models.providers.a.api_key").after, "[redacted]");
  EXPECT_EQ(changes.at("plugins.new").after, "added");
  EXPECT_FALSE(changes.contains("plugins.new.enabled"));
  after.models.providers["b"];
  changes.clear();
  for (Change& change : Compare(after, before)) changes[change.key] = change;
  EXPECT_EQ(changes.at("models.providers.b").after, "removed");
  EXPECT_EQ(changes.at("models.providers.b").reload, Reload::kRestart);
  EXPECT_EQ(changes.size(), 5u);
  EXPECT_EQ(Compare(before, before).size(), 0u);
}

TEST(Values, DurationsAndSizesRoundTrip) {
  for (const char* text : {"0s", "1ms", "1500ms", "30s", "5m", "2h", "3d"}) {
    std::chrono::milliseconds value{};
    ASSERT_TRUE(ParseValue(text, value).ok()) << text;
    EXPECT_EQ(FormatValue(value), text);
  }
  for (const char* text : {"0", "1B", "64KB", "8MB", "1GB", "1025B"}) {
    Bytes value;
    ASSERT_TRUE(ParseValue(text, value).ok()) << text;
    EXPECT_EQ(FormatValue(value), text);
  }
  Bytes bytes;
  std::chrono::milliseconds duration{};
  EXPECT_FALSE(ParseValue("-1KB", bytes).ok());
  EXPECT_FALSE(ParseValue("1e300GB", bytes).ok());
  EXPECT_FALSE(ParseValue("nan s", duration).ok());
  EXPECT_FALSE(ParseValue("5", duration).ok());
  EXPECT_FALSE(ParseValue("5 parsecs", duration).ok());
}

}  // namespace
}  // namespace talon::config
