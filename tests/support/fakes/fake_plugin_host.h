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
    return {info};
  }
  io::Task<absl::StatusOr<std::string>> Call(std::string, std::string_view method,
                                             std::string request, CallContext context,
                                             plugin::Repeat) override {
    ++calls;
    if (hangs) {
      const auto ended = std::make_shared<io::OneShot<bool>>();
      const auto registration = context.cancel.OnCancel([ended] { ended->Set(true); });
      co_await ended->Wait();
      co_return context.cancel.status();
    }
    co_return answer ? answer(method, request) : Unavailable("no process");
  }
  const plugin::Manifest* ManifestOf(std::string_view) const override {
    return manifest ? &*manifest : nullptr;
  }
  io::Task<absl::Status> StopOne(std::string plugin) override { co_return Note("stop", plugin); }
  io::Task<absl::Status> Restart(std::string plugin) override { co_return Note("restart", plugin); }
  io::Task<void> Stop() override { co_return; }

  std::function<absl::StatusOr<std::string>(std::string_view method, const std::string& request)>
      answer;
  std::optional<plugin::Manifest> manifest;
  bool hangs = false;  // until the call is cancelled
  int calls = 0;
  std::vector<std::string> asked;  // "stop files" …

 private:
  absl::Status Note(const std::string& verb, const std::string& plugin) {
    if (plugin != "files") return NotFound("no such plugin");
    asked.push_back(verb + " " + plugin);
    return absl::OkStatus();
  }
};

}  // namespace talon::test
