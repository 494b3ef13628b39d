// SPDX-License-Identifier: Apache-2.0
// A plugin host without processes: every plugin is `manifest` and answers as the test says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/one_shot.h"
#include "plugin/host.h"

namespace talon::test {

class FakePluginHost : public plugin::Host {
 public:
  io::Task<absl::Status> Load(std::map<std::string, plugin::PluginEntry>) override {
    co_return absl::OkStatus();
  }
  std::vector<plugin::PluginInfo> List() const override {
    plugin::PluginInfo info;
    info.name = "files";
    info.state = plugin::PluginState::kRunning;
    info.tools = {"files__read"};
    std::vector<plugin::PluginInfo> all = {info};
    all.insert(all.end(), others.begin(), others.end());
    return all;
  }
  io::Task<void> ProbeSandbox() override { co_return; }
  plugin::Sandbox* sandbox() override { return nullptr; }
  io::Task<absl::StatusOr<std::string>> Call(std::string, std::string_view method,
                                             std::string request, CallContext context,
                                             plugin::Repeat) override {
    ++calls;
    callers.push_back(context.principal);
    if (hangs) {
      const auto ended = std::make_shared<io::OneShot<bool>>();
      const auto registration = context.cancel.OnCancel([ended] { ended->Set(true); });
      co_await ended->Wait();
      co_return context.cancel.status();
    }
    co_return answer ? answer(method, request) : Unavailable("no process");
  }
  io::Task<absl::StatusOr<std::unique_ptr<plugin::PluginStream>>> Open(std::string,
                                                                       std::string_view,
                                                                       CallContext) override {
    co_return Unavailable("no process");
  }
  const plugin::Manifest* ManifestOf(std::string_view) const override {
    return manifest ? &*manifest : nullptr;
  }
  io::Task<absl::Status> StopOne(std::string plugin) override { co_return Note("stop", plugin); }
  io::Task<absl::Status> Restart(std::string plugin) override { co_return Note("restart", plugin); }
  io::Task<absl::Status> Reload(std::string plugin) override { co_return Note("reload", plugin); }
  io::Task<absl::StatusOr<plugin::PluginReport>> Inspect(std::string plugin) override {
    if (plugin != "files") co_return NotFound("no such plugin");
    plugin::PluginReport report;
    report.info = List()[0];
    report.sha256 = "abc";
    report.trust = "trusted";
    report.manifest_json = R"({"tools":[{"name":"read"}]})";
    co_return report;
  }
  io::Task<absl::StatusOr<plugin::PluginReport>> Examine(std::string plugin) override {
    auto report = co_await Inspect(std::move(plugin));
    if (report.ok()) report->declared_sha256 = "def";
    co_return report;
  }
  io::Task<absl::Status> Trust(std::string plugin, plugin::TrustedContent content) override {
    co_return Note(
        "trust " + content.sha256 + " " + content.manifest_sha256 + " " + content.declared_sha256,
        plugin);
  }
  io::Task<absl::StatusOr<std::shared_ptr<const plugin::Program>>> Admit(std::string,
                                                                         std::string) override {
    co_return Unavailable("a fake admits nothing");
  }
  io::Task<absl::Status> SetEnabled(std::string plugin, plugin::Switch to) override {
    co_return Note(to == plugin::Switch::kOn ? "enable" : "disable", plugin);
  }
  plugin::PluginLog* LogOf(std::string_view plugin) override {
    return plugin == "files" ? log : nullptr;
  }
  io::Task<void> Stop() override { co_return; }

  std::function<absl::StatusOr<std::string>(std::string_view method, const std::string& request)>
      answer;
  std::optional<plugin::Manifest> manifest;
  std::vector<plugin::PluginInfo> others;  // besides "files"
  bool hangs = false;                      // until the call is cancelled
  int calls = 0;
  std::vector<Principal> callers;
  std::vector<std::string> asked;  // "stop files" …
  plugin::PluginLog* log = nullptr;

 private:
  absl::Status Note(const std::string& verb, const std::string& plugin) {
    if (plugin != "files") return NotFound("no such plugin");
    asked.push_back(verb + " " + plugin);
    return absl::OkStatus();
  }
};

}  // namespace talon::test
