// SPDX-License-Identifier: Apache-2.0
#include "config/opentalon_keys.h"

#include <optional>
#include <vector>

namespace talon::config {
namespace {

struct Row {
  std::string_view path;  // `*` stands for any one key
  std::string_view here;  // the same keys stand for its `*`, in their order
};

constexpr Row kMoved[] = {
    {"models.providers.*.retry.*", "models.providers.*.*"},
    {"state.session.context_messages", "orchestrator.context_messages"},
    {"plugins.*.dial_timeout", "plugins.*.start_timeout"},
    {"plugins.*.expose_http", "plugins.*.expose"},
    {"plugins.*.insecure", "plugins.*.mtls"},
};

constexpr std::string_view kNotFetched =
    "programs are not fetched or built: install it and name its path in `plugin`";
constexpr std::string_view kHooks =
    "plugins that advise turns are named in `hooks.plugins`; they need no entry here";
constexpr std::string_view kOneProcess =
    "one daemon owns its database; several on one state are not supported";
constexpr std::string_view kJournal =
    "every turn's steps and prompts are in the journal; see `journal`";

// The second is why it is missing.
constexpr Row kMissing[] = {
    {"state.data_dir", "the home folder is set by the environment variable TALON_HOME"},
    {"state.db", "the database is `talon.db` under the home folder"},
    {"state.session",
     "`orchestrator.context_messages` limits what a model sees of a session, "
     "`journal.keep_unnamed` how long one without a key is kept"},
    {"state.debug", kJournal},
    {"state.session_events", kJournal},
    {"routing.pin",
     "no kind of task is bound to a model: `routing.primary` is the default, `model` of a request "
     "or `/model` chooses another"},
    {"routing.affinity", "no model is preferred for what it did before; set `routing.primary`"},
    {"routing.health",
     "models are not probed: one that fails is passed over for `routing.fallbacks`"},
    {"auth", "a credential that is refused is not tried again for the request; see `routing`"},
    {"metrics", "there is no metrics listener"},
    {"health", "GET /health is answered by `gateway.http`"},
    {"plugins.*.github", kNotFetched},
    {"plugins.*.ref", kNotFetched},
    {"plugins.*.bundle", kNotFetched},
    {"plugins.*.cache", kNotFetched},
    {"plugins.*.db_access", "a plugin never reaches the daemon's database; see `storage.plugin`"},
    {"plugins.*.http_port", "a plugin's routes are served by `gateway.http`; see `expose`"},
    {"channels.*.github", kNotFetched},
    {"channels.*.ref", kNotFetched},
    {"channels.*.cache", kNotFetched},
    {"orchestrator.prompt_overrides", "put files into the folder of `orchestrator.prompts_dir`"},
    {"orchestrator.permission_plugin", kHooks},
    {"orchestrator.content_preparers", kHooks},
    {"orchestrator.response_formatters", kHooks},
    {"orchestrator.notify", "see `notifications.plugin`"},
    {"orchestrator.repair", "see `orchestrator.max_repairs`"},
    {"orchestrator.preparer", "see `orchestrator.no_progress_rounds`"},
    {"orchestrator.debounce_window", "messages of a session are answered one after the other"},
    {"orchestrator.show_tool_calls", "a client shows tool calls or does not"},
    {"orchestrator.pipeline", "there is no planner apart from the model"},
    {"orchestrator.knowledge", "there is no knowledge base"},
    {"orchestrator.subprocess", "there are no sub-agents"},
    {"orchestrator.escalation", "no model takes over from a weaker one but by failing"},
    {"scheduler", "what runs by the clock is a plugin's task: `plugins.<name>.tasks`"},
    {"request_packages", "a tool is a plugin's: see `talon plugin new`"},
    {"lua", "there are no scripts; see `hooks.plugins`"},
    {"profiles", "who a token belongs to is asked of `gateway.auth_plugin`"},
    {"bootstrap", "the configuration is this file"},
    {"redis", kOneProcess},
    {"cluster", kOneProcess},
    {"plugin_exec", "only the model, a person or this file can start a call"},
    {"event_webhook", "see `notifications.plugin`"},
};

std::vector<std::string_view> Keys(std::string_view path) {
  std::vector<std::string_view> keys;
  while (true) {
    const std::size_t dot = path.find('.');
    keys.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return keys;
    path.remove_prefix(dot + 1);
  }
}

// What the pattern's `*` stand for; nothing when it does not fit.
std::optional<std::vector<std::string_view>> Match(std::string_view pattern,
                                                   std::string_view path) {
  const auto wanted = Keys(pattern);
  const auto keys = Keys(path);
  if (wanted.size() != keys.size()) return std::nullopt;
  std::vector<std::string_view> any;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (wanted[i] == "*") {
      any.push_back(keys[i]);
    } else if (wanted[i] != keys[i]) {
      return std::nullopt;
    }
  }
  return any;
}

}  // namespace

std::string MovedOpenTalonKey(std::string_view path) {
  for (const Row& row : kMoved) {
    const auto any = Match(row.path, path);
    if (!any) continue;
    std::string here;
    auto next = any->begin();
    for (const std::string_view key : Keys(row.here)) {
      here += here.empty() ? "" : ".";
      here += key == "*" ? *next++ : key;
    }
    return here;
  }
  return "";
}

std::string_view OpenTalonValue(std::string_view path, std::string_view value) {
  if (!Match("plugins.*.insecure", path)) return value;
  return value == "true" ? "off" : value == "false" ? "required" : value;
}

std::string_view MissingOpenTalonKey(std::string_view path) {
  for (const Row& row : kMissing) {
    if (Match(row.path, path)) return row.here;
  }
  return "";
}

}  // namespace talon::config
