// SPDX-License-Identifier: Apache-2.0
// `channels:` of talon.yaml: which chat surfaces there are.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/option_limit.h"
#include "base/secret.h"
#include "plugin/sandbox_options.h"

namespace talon::channel {

struct ChannelEntry {
  bool enabled = true;
  std::string plugin;
  JsonText config;
  std::vector<std::string> args;
  std::map<std::string, Secret> env;
  bool pin = true;
  std::chrono::milliseconds start_timeout{10'000};
  std::chrono::milliseconds send_timeout{120'000};
  std::uint32_t max_turns = 16;
  std::uint32_t max_deliveries = 5;
  plugin::SandboxOptions sandbox;

  static constexpr auto Fields() {
    using O = ChannelEntry;
    return std::make_tuple(
        Option("enabled", &O::enabled, "Whether it runs."),
        Option("plugin", &O::plugin, "Path of a program that speaks OpenTalon's channel contract."),
        Option("config", &O::config, "Passed to the channel when it is configured."),
        Option("args", &O::args, "Arguments of the program."),
        Option("env", &O::env, "Its whole environment besides PATH, HOME, TMPDIR and LANG."),
        Option("pin", &O::pin,
               "Refuse the program of `plugin` once its content differs from that of its first "
               "start, until `talon plugins trust channel:NAME`."),
        Option("start_timeout", &O::start_timeout, kPositive,
               "From start to a configured channel."),
        Option("send_timeout", &O::send_timeout, kPositive,
               "How long an answer waits for a channel that is being restarted."),
        Option("max_turns", &O::max_turns, kPositive,
               "Messages that are answered at once; more wait in the channel."),
        Option("max_deliveries", &O::max_deliveries, kPositive,
               "How often an answer that did not reach the channel is sent again, each time at the "
               "channel's next start; then it is left as a dead letter."),
        Option("sandbox", &O::sandbox,
               "What it may reach, as of a plugin whose manifest asks for the network."));
  }
};

}  // namespace talon::channel
