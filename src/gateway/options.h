// SPDX-License-Identifier: Apache-2.0
// `gateway:` of talon.yaml: the HTTP API. Every default stands here once.
#pragma once

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "base/option_limit.h"
#include "base/secret.h"
#include "io/options.h"

namespace talon::gateway {

struct GatewayOptions {
  io::HttpServerOptions http;
  Secret token;
  std::string auth_plugin;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
  Bytes stream_buffer{16u << 20};
  std::chrono::milliseconds keep_alive{240'000};  // HTTP libraries give up after 5 minutes

  static constexpr auto Fields() {
    using O = GatewayOptions;
    return std::make_tuple(
        Option("http", &O::http, "The listener and its limits."),
        Option("token", &O::token,
               "Bearer token of the API; empty: the one in `token` under the home folder, created "
               "at the first start."),
        Option("auth_plugin", &O::auth_plugin,
               "Plugin that is asked who any other token belongs to; empty: any other is refused.",
               Reload::kRestart),
        Option("allowed_hosts", &O::allowed_hosts,
               "Host headers accepted besides localhost and literal loopback addresses."),
        Option("allowed_origins", &O::allowed_origins,
               "Origins of browser pages that may call the API. None by default."),
        Option("stream_buffer", &O::stream_buffer, kPositive,
               "Bytes a slow client may be behind its stream; then the stream ends."),
        Option("keep_alive", &O::keep_alive,
               "Silence in a stream after which a comment is sent, so that nobody cuts it while a "
               "model thinks; 0 = none. Behind a proxy less than its read timeout: 45s for nginx's "
               "60."));
  }
};

}  // namespace talon::gateway
