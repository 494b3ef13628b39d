// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "agent/agent.h"
#include "agent/approvals.h"
#include "agent/prompt.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "channel/channels.h"
#include "daemon/code_channel.h"
#include "daemon/config_advice.h"
#include "daemon/model_sources.h"
#include "daemon/version.h"
#include "gateway/gateway.h"
#include "guard/firewall.h"
#include "guard/guard.h"
#include "io/file_watch.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "journal/journal.h"
#include "plugin/extension/extensions.h"
#include "plugin/extension/hook.h"
#include "plugin/host.h"
#include "plugin/launch.h"
#include "router/router.h"
#include "store/store.h"
#include "tool/catalogue.h"
#include "trigger/tasks.h"

namespace talon::daemon {
namespace {

absl::Status CheckProgram(const std::string& name, const plugin::PluginEntry& entry) {
  if (!entry.plugin.starts_with('/') || ::access(entry.plugin.c_str(), X_OK) == 0) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      fmt::format("plugins.{}.plugin: '{}' is not a program this user may run: {}", name,
                  entry.plugin, ::strerror(errno)));
}

void WarnOf(const config::Loaded& loaded, const Paths& paths) {
  for (const std::string& line : ConfigAdvice(loaded, paths)) log::Warn(line);
  for (const std::string& line : config::UnknownVariables(loaded, config::TalonVariables())) {
    log::Warn(line);
  }
}

// A short private folder for plugin sockets.
absl::StatusOr<std::string> SocketFolder(const Paths& paths) {
  std::string folder = paths.run() + "/p";
  if (folder.size() > plugin::LongestRunDirectory()) {
    // The same for every start of this home, so that leftovers are found again.
    folder = fmt::format("/tmp/talon-{}-{}", ::getuid(), Sha256Hex(paths.home).substr(0, 12));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoToStatus(errno, fmt::format("create '{}' for plugin sockets", folder));
    }
    struct stat info{};
    if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
        info.st_uid != ::getuid() || (info.st_mode & 077) != 0) {
      return PermissionDenied(fmt::format(
          "'{}' is not a private folder of this user; remove it or shorten TALON_HOME", folder));
    }
    return folder;
  }
  TALON_RETURN_IF_ERROR(MakeDirectories(folder, 0700));
  return folder;
}

absl::StatusOr<std::shared_ptr<const guard::Policy>> PolicyOf(const config::Config& config) {
  if (config.guard.policy.empty()) return guard::DefaultPolicy();
  auto policy = guard::LoadPolicy(config.guard.policy);
  return policy.ok() ? policy : Annotate(policy.status(), "guard.policy");
}

// Whether there is a way in for people who are not the owner. Both ways are opened at the start
// only.
bool OthersCanWrite(const config::Config& config) {
  return !config.channels.empty() || !config.gateway.auth_plugin.empty();
}

}  // namespace

struct Daemon::Parts {
  SystemClock clock;
  RandomIdSource ids;
  Redactor redactor;
  std::unique_ptr<store::Store> store;
  std::optional<journal::Journal> journal;
  std::unique_ptr<io::HttpClient> http;
  std::unique_ptr<router::Router> router;
  tool::Catalogue catalogue;
  std::unique_ptr<plugin::Host> plugins;
  std::optional<plugin::Extensions> extensions;
  hook::Hooks hooks;
  std::optional<io::Nursery> changes;  // of the configuration that take their time
  std::optional<guard::Guard> guard;
  std::optional<agent::Grants> grants;
  std::optional<PersonalCodes> codes;
  std::unique_ptr<guard::Firewall> firewall;
  std::unique_ptr<agent::Agent> agent;
  std::optional<trigger::Tasks> tasks;
  std::unique_ptr<channel::Channels> channels;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<io::FileWatch> config_watch;
  bool announced = false;
};

absl::Status CheckConfig(const config::Loaded& loaded) {
  const config::Config& config = loaded.config;
  io::Loop loop;
  SystemClock clock;
  Redactor redactor;
  const auto http = io::MakeCurlClient(loop, config.http_client);
  std::vector<std::string> problems;
  const auto note = [&](const absl::Status& status) {
    if (status.ok()) return;
    problems.emplace_back(Message(config::AtItsLine(loaded, status)));
  };
  // Without its routing first: of that every name is checked.
  const auto router = router::Router::Create(
      config.models, {},
      {.loop = loop, .http = *http, .redactor = redactor, .clock = clock, .source = NoSources()});
  note(router.status());
  if (router.ok()) {
    if (const std::string& primary = config.routing.primary; !primary.empty()) {
      note(Annotate((*router)->Resolve(primary).status(), "routing.primary"));
    }
    for (const std::string& name : config.routing.fallbacks) {
      note(Annotate((*router)->Resolve(name).status(), "routing.fallbacks"));
    }
  }
  note(agent::PromptBook::Load(config.orchestrator.prompts_dir).status());
  note(PolicyOf(config).status());
  note(CheckToken(config.gateway.token));
  for (const auto& [name, entry] : config.plugins) {
    if (entry.enabled) note(CheckProgram(name, entry));
  }
  if (problems.empty()) return absl::OkStatus();
  return InvalidArgument(fmt::format("{}", fmt::join(problems, "\n")));
}

Daemon::Daemon(io::Loop& loop, config::Loaded loaded, Paths paths)
    : loop_(loop), loaded_(std::move(loaded)), paths_(std::move(paths)), running_(loaded_.config) {}

Daemon::~Daemon() = default;

io::Task<absl::Status> Daemon::Start() {
  parts_ = std::make_unique<Parts>();
  absl::Status status = co_await StartParts();
  if (!status.ok()) {
    co_await Stop(std::chrono::milliseconds(0));
    co_return config::AtItsLine(loaded_, status);
  }
  started_ = true;
  if (std::exchange(reload_wanted_, false)) {
    if (absl::Status reloaded = Reload(); !reloaded.ok()) LogNotReloaded(reloaded);
  }
  co_return absl::OkStatus();
}

io::Task<absl::Status> Daemon::StartParts() {
  const config::Config& config = loaded_.config;
  Parts& parts = *parts_;
  // Nobody else of this user may read the memory or the environment: plugins run as the same user.
  ::prctl(PR_SET_DUMPABLE, 0);
  TALON_CO_RETURN_IF_ERROR(MakeDirectories(paths_.home, 0700));
  TALON_CO_RETURN_IF_ERROR(MakeDirectories(paths_.run(), 0700));
  TALON_CO_ASSIGN_OR_RETURN(parts.store, store::OpenSqlite(loop_, paths_.home, config.state));
  TALON_CO_ASSIGN_OR_RETURN(token_, ReadOrMakeToken(paths_, config.gateway.token));
  parts.redactor.Register(token_);
  for (const Secret& secret : config::SecretsOf(config)) parts.redactor.Register(secret);
  log::Configure(config.log.level, config.log.format, &parts.redactor);
  WarnOf(loaded_, paths_);
  parts.journal.emplace(*parts.store, parts.clock, config.journal);

  const std::string workspace =
      config.workspace.empty() ? paths_.home + "/workspace/main" : config.workspace;
  TALON_CO_RETURN_IF_ERROR(MakeDirectories(workspace, 0700));
  parts.http = io::MakeCurlClient(loop_, config.http_client);
  TALON_CO_ASSIGN_OR_RETURN(std::string sockets, SocketFolder(paths_));
  parts.changes.emplace(loop_);
  parts.plugins = plugin::MakeHost(loop_, parts.clock, parts.catalogue,
                                   {.bundled = paths_.plugins,
                                    .examples = paths_.examples(),
                                    .run = sockets,
                                    .data = paths_.home + "/plugins/data",
                                    .cache = paths_.home + "/plugins/cache",
                                    .workspace = workspace,
                                    .launcher = paths_.launcher,
                                    .home = paths_.home + "/plugins",
                                    .hidden = paths_.home},
                                   config.plugin_host, {.redactor = &parts.redactor});
  // Those that plugins serve are known when these are loaded.
  const bool by_plugins = HasPluginModels(config.models);
  TALON_CO_ASSIGN_OR_RETURN(
      parts.router, by_plugins ? MakeRouter({}, {}) : MakeRouter(config.models, config.routing));
  TALON_CO_RETURN_IF_ERROR(MakeExtensions());
  TALON_CO_RETURN_IF_ERROR(co_await MakeGuard(workspace));
  TALON_CO_ASSIGN_OR_RETURN(
      parts.agent, agent::Agent::Create(config.orchestrator,
                                        {loop_, parts.clock, parts.ids, *parts.journal,
                                         *parts.router, parts.catalogue, *parts.guard, &parts.hooks,
                                         parts.firewall.get(), &*parts.grants, &*parts.codes}));
  parts.tasks.emplace(trigger::Tasks::Dependencies{loop_, parts.clock, parts.ids, *parts.journal,
                                                   *parts.plugins, parts.extensions->notifier});
  gateway::GatewayOptions options = config.gateway;
  options.token = token_;
  TALON_CO_ASSIGN_OR_RETURN(
      parts.gateway,
      gateway::Gateway::Create(
          std::move(options),
          {loop_, parts.clock, parts.ids, *parts.agent, *parts.journal, *parts.router,
           parts.catalogue, *parts.plugins, *parts.guard, std::string(kVersion), &*parts.extensions,
           &*parts.tasks, &*parts.grants, &parts.hooks, config.orchestrator, &restart_keys_}));
  TALON_CO_RETURN_IF_ERROR(WriteAnnouncement(
      paths_, {.pid = ::getpid(), .bind = config.gateway.http.bind, .port = port()}));
  parts.announced = true;
  WatchConfig();
  TALON_CO_RETURN_IF_ERROR(co_await AwaitPlugins());
  if (by_plugins) {
    TALON_CO_ASSIGN_OR_RETURN(
        const auto router,
        MakeRouter(WithPluginModels(config.models, *parts.plugins), config.routing));
    *parts.router = std::move(*router);  // nothing was routed yet
  }
  TALON_CO_RETURN_IF_ERROR(co_await parts.tasks->Start());
  TALON_CO_RETURN_IF_ERROR(co_await parts.agent->Recover());
  TALON_CO_RETURN_IF_ERROR(OpenChannels(std::move(sockets)));
  parts.gateway->Open();
  co_return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<router::Router>> Daemon::MakeRouter(
    const model::ModelsOptions& models, const router::RoutingOptions& routing) {
  return router::Router::Create(models, routing,
                                {.loop = loop_,
                                 .http = *parts_->http,
                                 .redactor = parts_->redactor,
                                 .clock = parts_->clock,
                                 .source = SourcesOf(*parts_->plugins)});
}

// Those that have to be run to be known may take their time: the others do not wait for long.
io::Task<absl::Status> Daemon::AwaitPlugins() {
  const auto loaded = std::make_shared<io::OneShot<absl::Status>>();
  parts_->changes->Spawn([](Daemon* daemon, auto first) -> io::Task<void> {
    absl::Status status = co_await daemon->parts_->plugins->Load(daemon->loaded_.config.plugins);
    const bool late = first->is_set();
    first->Set(status);
    if (late) co_await daemon->PluginsLoaded(std::move(status));
  }(this, loaded));
  io::TimerId timer;
  if (!HasPluginModels(loaded_.config.models)) {
    timer = loop_.CallAt(parts_->clock.SteadyNow() + loaded_.config.plugin_host.load_wait,
                         [loaded] { loaded->Set(absl::OkStatus()); });
  }
  const absl::Status status = co_await loaded->Wait();
  loop_.CancelTimer(timer);
  co_return status;
}

absl::Status Daemon::OpenChannels(std::string sockets) {
  Parts& parts = *parts_;
  const config::Config& config = loaded_.config;
  channel::Channels::Dependencies surroundings{.loop = loop_,
                                               .clock = parts.clock,
                                               .agent = *parts.agent,
                                               .limits = config.plugin_host,
                                               .redactor = parts.redactor,
                                               .run_directory = std::move(sockets),
                                               .data_directory = paths_.home + "/plugins/data",
                                               .plugins = *parts.plugins};
  TALON_ASSIGN_OR_RETURN(parts.channels,
                         channel::Channels::Open(config.channels, std::move(surroundings)));
  return absl::OkStatus();
}

void LogNotReloaded(const absl::Status& why) {
  log::Error("configuration not reloaded; the old one stays in force",
             {{"problems", Message(why)}});
}

// Without a policy that can be read nothing may run.
io::Task<absl::Status> Daemon::MakeGuard(std::string workspace) {
  Parts& parts = *parts_;
  const config::Config& config = loaded_.config;
  TALON_CO_ASSIGN_OR_RETURN(auto policy, PolicyOf(config));
  parts.guard.emplace(parts.catalogue, config.guard, &parts.redactor);
  parts.guard->UsePolicy(std::move(policy));
  parts.guard->UseWorkspace(std::move(workspace));
  if (OthersCanWrite(config)) {
    TALON_CO_ASSIGN_OR_RETURN(parts.firewall, guard::Firewall::Create(config.guard.firewall));
  }
  parts.codes.emplace(parts.extensions->notifier, paths_.run() + "/approvals");
  parts.grants.emplace(*parts.journal, parts.clock, parts.ids);
  co_return co_await parts.grants->Load();
}

absl::Status Daemon::MakeExtensions() {
  Parts& parts = *parts_;
  const config::Config& config = loaded_.config;
  plugin::Extensions& extensions =
      parts.extensions.emplace(loop_, *parts.plugins, parts.clock, parts.ids,
                               plugin::ExtensionOptions{.auth_plugin = config.gateway.auth_plugin,
                                                        .storage = config.storage,
                                                        .notifications = config.notifications});
  for (const std::string& name : config.hooks.plugins) {
    parts.hooks.Add(std::make_unique<plugin::PluginAdviser>(*parts.plugins, parts.clock, name,
                                                            config.hooks.timeout));
  }
  if (extensions.values.configured()) {
    TALON_RETURN_IF_ERROR(plugin::AddStorageTools(parts.catalogue, extensions.values));
  }
  if (extensions.notifier.configured()) {
    TALON_RETURN_IF_ERROR(plugin::AddNotifyTool(parts.catalogue, extensions.notifier));
  }
  return absl::OkStatus();
}

void Daemon::WatchConfig() {
  const std::filesystem::path file(paths_.config);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  auto watch = io::WatchFile(loop_, folder, file.filename().string(), [this] {
    if (absl::Status status = Reload(); !status.ok()) LogNotReloaded(status);
  });
  if (watch.ok()) {
    parts_->config_watch = *std::move(watch);
  } else {
    log::Warn("configuration file is not watched; use SIGHUP to reload",
              {{"status", StatusText(watch.status())}});
  }
}

absl::Status Daemon::Reload() {
  if (!started_) {
    reload_wanted_ = true;
    return absl::OkStatus();
  }
  // A file that was there and is gone is half an edit, no wish for the defaults.
  const bool had_file = std::ranges::count(loaded_.sources, paths_.config) > 0;
  TALON_ASSIGN_OR_RETURN(
      config::Loaded loaded,
      config::Load(paths_.config, had_file ? config::Missing::kError : paths_.config_missing,
                   &std::getenv));
  // Before anything of it can reach the log.
  for (const Secret& secret : config::SecretsOf(loaded.config)) parts_->redactor.Register(secret);
  TALON_RETURN_IF_ERROR(CheckConfig(loaded));
  // Its file may have changed though talon.yaml has not.
  TALON_ASSIGN_OR_RETURN(auto policy, PolicyOf(loaded.config));
  WarnOf(loaded, paths_);
  const std::vector<config::Change> changes = config::Compare(loaded_.config, loaded.config);
  TALON_ASSIGN_OR_RETURN(Secret token, ReadOrMakeToken(paths_, loaded.config.gateway.token));
  parts_->redactor.Register(token);
  token_ = std::move(token);
  gateway::GatewayOptions options = loaded.config.gateway;
  options.token = token_;
  parts_->gateway->Reload(options);
  parts_->guard->UsePolicy(std::move(policy));
  log::SetLevel(loaded.config.log.level);
  restart_keys_.clear();
  for (const config::Change& change : config::Compare(running_, loaded.config)) {
    if (change.reload == Reload::kRestart) restart_keys_.push_back(change.key);
  }
  for (const config::Change& change : changes) {
    log::Info(change.reload == Reload::kLive ? "configuration changed"
                                             : "configuration changed; in force after a restart",
              {{"key", change.key}, {"before", change.before}, {"after", change.after}});
  }
  if (changes.empty()) log::Info("configuration reloaded; nothing changed");
  loaded_ = std::move(loaded);
  // Also when no entry changed: plugin folders may have.
  parts_->changes->Spawn(LoadPlugins());
  return absl::OkStatus();
}

io::Task<void> Daemon::LoadPlugins() {
  if (!started_) co_return;
  co_await PluginsLoaded(co_await parts_->plugins->Load(loaded_.config.plugins));
}

io::Task<void> Daemon::PluginsLoaded(absl::Status status) {
  if (status.ok()) {
    log::Info("plugins are as configured", {{"count", parts_->plugins->List().size()}});
    status = co_await parts_->tasks->Start();
  }
  if (!status.ok() && !absl::IsCancelled(status)) LogNotReloaded(status);
}

io::Task<void> Daemon::Stop(std::chrono::milliseconds drain) {
  if (parts_ == nullptr) co_return;
  started_ = false;
  Parts& parts = *parts_;
  parts.config_watch.reset();
  const SteadyTime deadline = parts.clock.SteadyNow() + drain;
  if (parts.announced) ::unlink(paths_.announcement().c_str());
  // The gateway waits for its requests, and they for the agent's turns: both drain to one deadline.
  if (parts.tasks) co_await parts.tasks->Stop();
  if (parts.agent) co_await parts.agent->Stop(deadline);
  if (parts.channels) co_await parts.channels->Stop();
  if (parts.gateway) co_await parts.gateway->Drain(deadline);
  if (parts.plugins) co_await parts.plugins->Stop();
  if (parts.changes) co_await parts.changes->Join();
  parts.channels.reset();
  parts.gateway.reset();
  parts.agent.reset();
  parts.tasks.reset();
  parts.extensions.reset();
  parts.plugins.reset();
  parts.router.reset();
  parts.http.reset();
  if (parts.store) parts.store->Close();
  log::Configure(loaded_.config.log.level, loaded_.config.log.format, nullptr);
  parts_.reset();
}

std::uint16_t Daemon::port() const {
  return parts_->gateway->port();
}
std::string Daemon::url() const {
  const std::string& bind = running_.gateway.http.bind;
  const bool v6 = bind.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", v6 ? "[" : "", bind, v6 ? "]" : "", port());
}
std::string Daemon::model() const {
  const auto route = parts_->router->Resolve("");
  return route.ok() ? route->name() : "";
}
const Secret& Daemon::token() const {
  return token_;
}

}  // namespace talon::daemon
