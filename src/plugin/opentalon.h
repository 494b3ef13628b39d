// SPDX-License-Identifier: Apache-2.0
// Makes a plugin of OpenTalon's contract (opentalon.plugin.v1) look like one of ours: a transport
// that takes the calls of talon.v1.Plugin and makes theirs of them. Nothing above it knows the
// difference. Loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "plugin/transport.h"

namespace talon::plugin {

// Both ends of OpenTalon take messages up to this size.
inline constexpr std::size_t kOpenTalonMaxMessage = 32u << 20;

// `config_json`: the plugin's configuration, which OpenTalon's plugins take before they tell what
// they are; empty is "{}".
std::unique_ptr<PluginTransport> TranslateOpenTalon(std::unique_ptr<PluginTransport> wire,
                                                    std::string config_json);

}  // namespace talon::plugin
