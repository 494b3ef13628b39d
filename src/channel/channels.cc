// SPDX-License-Identifier: Apache-2.0
#include "channel/channels.h"

#include <fmt/format.h>

#include <random>
#include <utility>
#include <vector>

#include "base/status.h"
#include "channel/opentalon_channel.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "plugin/manifest.h"

namespace talon::channel {
namespace {

using Admitted = absl::StatusOr<std::shared_ptr<const plugin::Program>>;

class OpenChannels : public Channels {
 public:
  explicit OpenChannels(Dependencies dependencies)
      : dependencies_(std::move(dependencies)), random_(std::random_device()()) {}

  void Add(const std::string& name, const ChannelEntry& entry) {
    channels_.push_back(std::make_unique<OpenTalonChannel>(
        name, entry,
        OpenTalonChannel::Dependencies{
            .loop = dependencies_.loop,
            .clock = dependencies_.clock,
            .agent = dependencies_.agent,
            .limits = dependencies_.limits,
            .redactor = dependencies_.redactor,
            .sandbox = dependencies_.plugins.sandbox(),
            .admit = [this, record = "channel:" + name, pin = entry.pin](
                         std::string path) { return Admit(record, std::move(path), pin); },
            .run_directory = dependencies_.run_directory,
            .data_directory = fmt::format("{}/channel.{}", dependencies_.data_directory, name),
            .random = [this] { return std::uniform_real_distribution<double>(0, 1)(random_); }}));
  }
  void Start() {
    for (const auto& each : channels_) each->Start();
  }
  io::Task<void> Stop() override {
    for (const auto& each : channels_) co_await each->Stop();
  }

 private:
  io::Task<Admitted> Admit(std::string record, std::string path, bool pin) {
    if (pin) co_return co_await dependencies_.plugins.Admit(record, path);
    co_return co_await dependencies_.loop.Blocking([path] { return plugin::Program::Open(path); });
  }

  const Dependencies dependencies_;
  std::minstd_rand random_;  // of waits only
  std::vector<std::unique_ptr<OpenTalonChannel>> channels_;
};

absl::Status Check(const std::string& name, const ChannelEntry& entry) {
  TALON_RETURN_IF_ERROR(plugin::CheckPluginName(name));
  TALON_RETURN_IF_ERROR(plugin::CheckEnvironment(entry.env));
  TALON_RETURN_IF_ERROR(plugin::CheckSandbox(entry.sandbox));
  if (!entry.plugin.empty()) return absl::OkStatus();
  return InvalidArgument("`plugin` must name the program that serves it");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Channels>> Channels::Open(
    std::map<std::string, ChannelEntry> entries, Dependencies dependencies) {
  auto channels = std::make_unique<OpenChannels>(std::move(dependencies));
  std::erase_if(entries, [](const auto& each) { return !each.second.enabled; });
  for (const auto& [name, entry] : entries) {
    if (absl::Status fit = Check(name, entry); !fit.ok()) {
      return Annotate(fit, fmt::format("channel '{}'", name));
    }
    channels->Add(name, entry);
  }
  channels->Start();
  return channels;
}

}  // namespace talon::channel
