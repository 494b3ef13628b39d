// SPDX-License-Identifier: Apache-2.0
// talon.yaml as one typed structure made of every room's options. Read by daemon/ and cli/.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/options.h"
#include "base/log.h"
#include "base/option.h"
#include "channel/options.h"
#include "gateway/options.h"
#include "guard/options.h"
#include "io/options.h"
#include "journal/options.h"
#include "model/options.h"
#include "plugin/extension/options.h"
#include "plugin/options.h"
#include "router/options.h"
#include "store/options.h"

namespace talon::log {

constexpr auto EnumNames(Level) {
  return std::array{std::pair{std::string_view("debug"), Level::kDebug},
                    std::pair{std::string_view("info"), Level::kInfo},
                    std::pair{std::string_view("warn"), Level::kWarn},
                    std::pair{std::string_view("error"), Level::kError},
                    std::pair{std::string_view("off"), Level::kOff}};
}
constexpr auto EnumNames(Format) {
  return std::array{std::pair{std::string_view("auto"), Format::kAuto},
                    std::pair{std::string_view("text"), Format::kText},
                    std::pair{std::string_view("json"), Format::kJson}};
}

}  // namespace talon::log

namespace talon::config {

struct LogOptions {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kAuto;
  static constexpr auto Fields() {
    using O = LogOptions;
    return std::make_tuple(
        Option("level", &O::level, "Least level written: debug, info, warn, error, off."),
        Option("format", &O::format, "json, text, or auto: text on a terminal, json elsewhere.",
               Reload::kRestart));
  }
};

struct Config {
  model::ModelsOptions models;
  router::RoutingOptions routing;
  agent::OrchestratorOptions orchestrator;
  std::map<std::string, plugin::PluginEntry> plugins;
  plugin::HostOptions plugin_host;
  plugin::HookOptions hooks;
  plugin::StorageOptions storage;
  plugin::NotificationOptions notifications;
  std::map<std::string, channel::ChannelEntry> channels;
  guard::GuardOptions guard;
  store::StoreOptions state;
  journal::JournalOptions journal;
  gateway::GatewayOptions gateway;
  io::HttpClientOptions http_client;
  LogOptions log;
  std::string workspace;

  absl::Status Validate() const;  // the names of plugins and channels
  static constexpr auto Fields() {
    using O = Config;
    return std::make_tuple(
        Option("models", &O::models, "Language models and who offers them.", Reload::kRestart),
        Option("routing", &O::routing, "Which model is asked first.", Reload::kRestart),
        Option("orchestrator", &O::orchestrator, "The turn loop.", Reload::kRestart),
        Option("plugins", &O::plugins,
               "Plugin processes by registry name. The bundled ones (files, shell, http) are on "
               "unless an entry says `enabled: false`."),
        Option("plugin_host", &O::plugin_host, "Limits of all plugins.", Reload::kRestart),
        Option("hooks", &O::hooks, "Plugins that advise turns.", Reload::kRestart),
        Option("storage", &O::storage, "Values kept by key.", Reload::kRestart),
        Option("notifications", &O::notifications, "Messages to the person.", Reload::kRestart),
        Option("channels", &O::channels,
               "Chat channels by name: programs that speak OpenTalon's channel contract.",
               Reload::kRestart),
        Option("guard", &O::guard, "What tool calls may do, and limits of them and their results."),
        Option("state", &O::state, "The database.", Reload::kRestart),
        Option("journal", &O::journal, "What is recorded of turns, and how.", Reload::kRestart),
        Option("gateway", &O::gateway, "The HTTP API."),
        Option("http_client", &O::http_client, "Outbound HTTP.", Reload::kRestart),
        Option("log", &O::log, "Logging."),
        Option("workspace", &O::workspace,
               "Folder the agent works in; empty: `workspace/main` under the home folder.",
               Reload::kRestart));
  }
};

// Reads an environment variable; null when unset. Injected, so that tests need no real environment.
using Environment = std::function<const char*(const char* name)>;

struct Loaded {
  Config config;
  std::vector<std::string> sources;  // file and environment variables that were read
  std::string file;
  std::map<std::string, int> lines;  // of each key in the file, by its path
  std::set<std::string> variables;   // TALON_* that could have set something, or were asked for
};

// What could be read of a configuration, and what is wrong with it: problems, a line each.
struct Draft {
  Loaded loaded;
  std::vector<std::string> problems;
};

// Parses `text` (named `file` in errors) and applies TALON_* overrides: TALON_GATEWAY_HTTP_PORT=0
// sets gateway.http.port; TALON_CONFIG, TALON_HOME, TALON_GATEWAY_TOKEN … keep their own meaning.
// Every problem is reported at once, a line each: "talon.yaml:7: gateway.prot: unknown key; did you
// mean 'port'?".
absl::StatusOr<Loaded> Parse(std::string_view text, std::string_view file,
                             const Environment& environment);
// The same for a file. One that does not exist is the default configuration, or an error when a
// person named it.
enum class Missing { kDefaults, kError };
absl::StatusOr<Loaded> Load(const std::string& path, Missing missing,
                            const Environment& environment);
// The same for who wants to know all that is wrong, also with what could be read.
absl::StatusOr<Draft> LoadDraft(const std::string& path, Missing missing,
                                const Environment& environment);

// "talon.yaml:7: " before an error whose text begins with the path of a key, or of one below it.
absl::Status AtItsLine(const Loaded& loaded, const absl::Status& status);

// Every credential in it, for the redactor.
std::vector<Secret> SecretsOf(const Config& config);

// A line for each of the TALON_* variables in `set` that nothing reads, with the nearest that
// something does: a misspelt override must not pass in silence. Names only, never values.
std::vector<std::string> UnknownVariables(const Loaded& loaded,
                                          const std::vector<std::string>& set);
// The names of the TALON_* variables in this process's environment.
std::vector<std::string> TalonVariables();

// YAML of every value in force, secrets as [redacted].
std::string Show(const Config& config);
// talon.example.yaml: every key with its default and meaning.
std::string ExampleYaml();
// docs/configuration.md: a table row a key.
std::string ReferenceMarkdown();

// What changed, and whether it is in force at once. An entry of a map (a provider, a plugin) that
// came or went is one change.
struct Change {
  std::string key, before, after;
  Reload reload;
};
std::vector<Change> Compare(const Config& before, const Config& after);

}  // namespace talon::config
