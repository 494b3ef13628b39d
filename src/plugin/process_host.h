// SPDX-License-Identifier: Apache-2.0
// The host of plugin processes: who answers for each plugin, and what changes that. Changes (Load,
// Reload, Trust, SetEnabled) happen one after the other; calls go on meanwhile. Loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/nursery.h"
#include "plugin/discovery.h"
#include "plugin/host.h"
#include "plugin/plugin_log.h"
#include "plugin/sandbox.h"
#include "plugin/supervisor.h"
#include "plugin/trust.h"
#include "plugin/turnstile.h"

namespace talon::plugin {

class ProcessHost : public Host {
 public:
  ProcessHost(io::Loop& loop, const Clock& clock, tool::Catalogue& catalogue, HostPaths paths,
              HostOptions options, HostServices services)
      : loop_(loop),
        clock_(clock),
        catalogue_(catalogue),
        paths_(std::move(paths)),
        options_(std::move(options)),
        credentials_(services.credentials != nullptr ? *services.credentials : configured_),
        redactor_(services.redactor != nullptr ? *services.redactor : own_redactor_),
        random_(std::random_device()()),
        drains_(loop) {
    if (paths_.launcher.empty()) return;
    sandbox_ = std::make_unique<Sandbox>(paths_.launcher, paths_.workspace, paths_.run,
                                         paths_.hidden, options_.sandbox);
  }

  io::Task<absl::Status> Load(std::map<std::string, PluginEntry> plugins) override;
  io::Task<absl::Status> Reload(std::string plugin) override;
  io::Task<absl::StatusOr<PluginReport>> Inspect(std::string plugin) override;
  io::Task<absl::StatusOr<PluginReport>> Examine(std::string plugin) override;
  io::Task<absl::Status> Trust(std::string plugin, TrustedContent content) override;
  io::Task<absl::StatusOr<std::shared_ptr<const Program>>> Admit(std::string name,
                                                                 std::string path) override;
  io::Task<absl::Status> SetEnabled(std::string plugin, Switch to) override;
  io::Task<void> Stop() override;

  std::vector<PluginInfo> List() const override;
  io::Task<void> ProbeSandbox() override {
    if (sandbox_ != nullptr) co_await sandbox_->Probe(loop_);
  }
  Sandbox* sandbox() override { return sandbox_.get(); }

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

  PluginLog* LogOf(std::string_view plugin) override {
    const auto found = logs_.find(plugin);
    return found == logs_.end() ? nullptr : found->second.get();
  }

 private:
  using Supervised = std::shared_ptr<Supervisor>;

  // Shared with the call: it outlives a reload.
  absl::StatusOr<Supervised> Find(std::string_view plugin) const;

  io::Task<std::map<std::string, Found>> LookAround();
  Supervised Make(const std::string& name, Found found);
  // A supervisor to be, and whether it could be loaded.
  struct Candidate {
    Supervised next;
    absl::Status loaded;
  };
  Candidate* Consider(const std::string& name, Found found, std::map<std::string, Candidate>& into);
  static io::Task<void> LoadOne(Candidate* candidate);
  io::Task<void> LoadInPlace(std::string name, Candidate* candidate);
  io::Task<absl::Status> PutInPlace(std::string name, Candidate candidate);
  io::Task<absl::Status> Renew(std::string name);
  io::Task<std::optional<std::string>> Weigh(std::string name, const Found& found,
                                             PluginReport* report);
  io::Task<absl::Status> TrustThis(std::string plugin, TrustedContent content);
  io::Task<absl::Status> Flip(std::string plugin, Switch to);
  // Runs one change after those that came before it.
  io::Task<absl::Status> Alone(io::Task<absl::Status> change);
  io::Task<absl::Status> ReadState();
  absl::Status Offer(const std::string& name, const Supervised& supervisor);
  void ToolsChanged(Supervisor& supervisor);
  void TakeAway(const std::string& name);
  SteadyTime AfterGrace() const;
  void LetGo(const Supervised& supervisor, SteadyTime until, std::string_view why);
  io::Task<void> Drain(Supervised supervisor, SteadyTime until, absl::Status why);
  io::Task<absl::Status> KeepTrust();
  double Random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  std::string At(std::string_view file) const {
    return paths_.home.empty() ? "" : paths_.home + "/" + std::string(file);
  }

  // Constant after construction.
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
  DigestCache digests_;
  TrustBook trust_;
  std::map<std::string, std::string, std::less<>> admitted_;  // programs of Admit() by name
  std::map<std::string, PluginEntry> entries_;                // of the last Load()
  std::set<std::string> switched_off_;
  std::map<std::string, std::shared_ptr<PluginLog>, std::less<>> logs_;
  std::map<std::string, Supervised, std::less<>> supervisors_;
  std::map<std::string, Supervised, std::less<>> coming_;  // new ones that are being loaded
  std::set<Supervised> others_;                            // that are tried, or end their calls
  Turnstile changes_;
  Turnstile lock_file_;
  io::Nursery drains_;
  bool state_read_ = false;
  bool closed_ = false;  // by Stop(), until the next Load()
  std::uint64_t stops_ = 0;
};

}  // namespace talon::plugin
