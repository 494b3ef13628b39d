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
  std::chrono::milliseconds keep_alive{15'000};
  std::chrono::milliseconds keep_alive_direct{240'000};  // HTTP libraries give up after 5 minutes

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
               "Silence in a stream that goes through a proxy (it said so: Forwarded, "
               "X-Forwarded-For or Via) after which a comment is sent, so that it is not cut while "
               "a model thinks; 0 = none."),
        Option("keep_alive_direct", &O::keep_alive_direct,
               "The same for a client that is connected itself. Every comment wakes the daemon."));
  }
};

}  // namespace talon::gateway
