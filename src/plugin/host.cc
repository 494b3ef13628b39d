// SPDX-License-Identifier: Apache-2.0
#include "plugin/host.h"

#include <fmt/format.h>

#include <random>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "plugin/launch.h"
#include "plugin/plugin_tool.h"
#include "plugin/sandbox.h"
#include "plugin/supervisor.h"

namespace talon::plugin {
namespace {

// Something that several coroutines may wait for, again and again.
class Event {
 public:
  io::Task<void> Wait() {
    const auto done = std::make_shared<io::OneShot<bool>>();
    waiters_.push_back(done);
    co_await done->Wait();
  }
  void Wake() {
    for (const auto& waiter : std::exchange(waiters_, {})) waiter->Set(true);
  }

 private:
  std::vector<std::shared_ptr<io::OneShot<bool>>> waiters_;  // shared with those who wait
};

class ProcessHost : public Host {
 public:
  ProcessHost(io::Loop& loop, const Clock& clock, tool::Catalogue& catalogue, HostPaths paths,
              HostOptions options, HostServices services)
      : loop_(loop),
        clock_(clock),
        catalogue_(catalogue),
        paths_(std::move(paths)),
        options_(options),
        credentials_(services.credentials != nullptr ? *services.credentials : configured_),
        redactor_(services.redactor != nullptr ? *services.redactor : own_redactor_),
        random_(std::random_device()()) {}

  io::Task<absl::Status> Load(std::map<std::string, PluginEntry> plugins) override {
    co_await Stop();
    loading_ = true;
    closed_ = false;
    supervisors_.clear();
    const auto leftovers =
        co_await loop_.Blocking([run = paths_.run] { return RemoveLeftovers(run); });
    if (leftovers > 0) {
      log::Info("plugins of a killed daemon were ended", {{"count", leftovers}});
    }
    if (!paths_.launcher.empty() && sandbox_ == nullptr) {
      sandbox_ = std::make_unique<Sandbox>(paths_.launcher, paths_.workspace, paths_.run,
                                           options_.sandbox);
      co_await sandbox_->Probe(loop_);
    }
    io::Nursery loads(loop_);
    for (auto& [name, entry] : plugins) {
      const bool enabled = entry.enabled;
      const auto supervisor =
          supervisors_
              .emplace(name, std::make_shared<Supervisor>(
                                 name, std::move(entry),
                                 Supervisor::Dependencies{
                                     loop_, clock_, paths_, options_, credentials_, redactor_,
                                     [this] { return Random(); }, sandbox_.get(),
                                     [this](Supervisor& changed) { ToolsChanged(changed); }}))
              .first->second;
      if (enabled) loads.Spawn(LoadOne(supervisor));
    }
    co_await loads.Join();
    // In the order of names, so that the catalogue does not depend on who was quicker.
    for (const auto& [name, supervisor] : supervisors_) {
      if (!closed_) Offer(name, supervisor);
    }
    loading_ = false;
    loaded_.Wake();
    co_return closed_ ? Cancelled("load plugins: the host was stopped") : absl::OkStatus();
  }

  std::vector<PluginInfo> List() const override {
    std::vector<PluginInfo> list;
    for (const auto& [name, supervisor] : supervisors_) list.push_back(supervisor->Info());
    return list;
  }

  io::Task<absl::StatusOr<std::string>> Call(std::string plugin, std::string_view method,
                                             std::string request, CallContext context,
                                             Repeat repeat) override {
    TALON_CO_ASSIGN_OR_RETURN(const auto supervisor, Find(plugin));
    co_return co_await supervisor->Call(method, std::move(request), std::move(context), repeat);
  }

  io::Task<absl::StatusOr<std::unique_ptr<PluginStream>>> Open(std::string plugin,
                                                               std::string_view method,
                                                               CallContext context) override {
    TALON_CO_ASSIGN_OR_RETURN(const auto supervisor, Find(plugin));
    co_return co_await supervisor->Open(method, std::move(context));
  }

  io::Task<absl::Status> StopOne(std::string plugin) override {
    TALON_CO_ASSIGN_OR_RETURN(const auto supervisor, Find(plugin));
    supervisor->EndProcess();
    co_return absl::OkStatus();
  }

  io::Task<absl::Status> Restart(std::string plugin) override {
    TALON_CO_ASSIGN_OR_RETURN(const auto supervisor, Find(plugin));
    co_return co_await supervisor->Restart();
  }

  const Manifest* ManifestOf(std::string_view plugin) const override {
    const auto found = supervisors_.find(plugin);
    return found != supervisors_.end() && found->second->usable() ? &found->second->manifest()
                                                                  : nullptr;
  }

  io::Task<void> Stop() override {
    if (stopping_) {
      co_await stopped_.Wait();
      co_return;
    }
    stopping_ = true;
    closed_ = true;
    io::Nursery stops(loop_);
    for (const auto& [name, supervisor] : supervisors_) {
      stops.Spawn(supervisor->Stop());
    }
    for (const auto& name : std::exchange(offered_, {})) catalogue_.RemovePlugin(name);
    co_await stops.Join();
    if (loading_) co_await loaded_.Wait();
    stopping_ = false;
    stopped_.Wake();
  }

 private:
  // Shared with the call: it outlives a reload.
  absl::StatusOr<std::shared_ptr<Supervisor>> Find(std::string_view plugin) const {
    const auto found = supervisors_.find(plugin);
    if (found != supervisors_.end()) return found->second;
    return NotFound(
        fmt::format("plugin '{}': no such plugin; `talon plugins` lists those there are", plugin));
  }

  static io::Task<void> LoadOne(std::shared_ptr<Supervisor> supervisor) {
    const absl::Status status = co_await supervisor->Load();
    if (!status.ok()) supervisor->Refuse(status);
  }

  void Offer(const std::string& name, const std::shared_ptr<Supervisor>& supervisor) {
    const Manifest& manifest = supervisor->manifest();
    // A name that is not a plugin's may be somebody else's.
    if (!supervisor->usable() || (manifest.tools.empty() && !manifest.dynamic)) return;
    std::vector<std::shared_ptr<tool::Tool>> tools;
    for (const Manifest::Tool& tool : manifest.tools) {
      tools.push_back(std::make_shared<PluginTool>(tool, supervisor));
    }
    const auto refused = catalogue_.Replace(name, std::move(tools));
    if (!refused.empty() && !manifest.dynamic) {
      catalogue_.RemovePlugin(name);
      return supervisor->Refuse(Annotate(refused.front(), fmt::format("plugin '{}'", name)));
    }
    // Tools that come from elsewhere: one that cannot be offered does not take the others with it.
    for (const absl::Status& why : refused) {
      log::Warn("tool is not offered", {{"plugin", name}, {"reason", Message(why)}});
    }
    offered_.insert(name);
  }

  void ToolsChanged(Supervisor& supervisor) {
    if (!closed_ && !loading_) Offer(supervisor.name(), supervisor.shared_from_this());
  }

  double Random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  io::Loop& loop_;
  const Clock& clock_;
  tool::Catalogue& catalogue_;
  const HostPaths paths_;
  const HostOptions options_;
  ConfiguredCredentials configured_;
  Redactor own_redactor_;
  CredentialSource& credentials_;
  Redactor& redactor_;
  std::mt19937 random_;  // of waits only
  std::unique_ptr<Sandbox> sandbox_;
  std::map<std::string, std::shared_ptr<Supervisor>, std::less<>> supervisors_;
  std::set<std::string> offered_;  // whose tools are in the catalogue
  bool loading_ = false;
  bool stopping_ = false;
  bool closed_ = false;  // by Stop(), until the next Load()
  Event loaded_, stopped_;
};

}  // namespace

std::string_view PluginStateName(PluginState state) {
  switch (state) {
    case PluginState::kDisabled:
      return "disabled";
    case PluginState::kStopped:
      return "stopped";
    case PluginState::kStarting:
      return "starting";
    case PluginState::kRunning:
      return "running";
    case PluginState::kBackingOff:
      return "backing off";
    case PluginState::kFailed:
      return "failed";
  }
  return "unknown";
}

std::unique_ptr<Host> MakeHost(io::Loop& loop, const Clock& clock, tool::Catalogue& catalogue,
                               HostPaths paths, HostOptions options, HostServices services) {
  return std::make_unique<ProcessHost>(loop, clock, catalogue, std::move(paths), options, services);
}

}  // namespace talon::plugin
