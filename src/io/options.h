// SPDX-License-Identifier: Apache-2.0
// Limits of the event loop's neighbours. Every default stands here once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>

#include "base/option_limit.h"

namespace talon::io {

struct HttpClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  std::uint32_t max_connections_per_host = 64;
  std::uint32_t max_idle_connections = 64;
  Bytes stream_buffer{256 << 10};
  Bytes max_response_header{256 << 10};
  std::string user_agent = "talon";
  bool verify_tls = true;
  std::string ca_file;
  bool use_proxy = true;

  static constexpr auto Fields() {
    using O = HttpClientOptions;
    return std::make_tuple(
        Option("connect_timeout", &O::connect_timeout, kPositive, "Longest wait for a connection."),
        Option("max_connections_per_host", &O::max_connections_per_host, kPositive,
               "Connections to one host at once; further requests queue.", Reload::kRestart),
        Option("max_idle_connections", &O::max_idle_connections, "Connections kept open for reuse.",
               Reload::kRestart),
        Option("stream_buffer", &O::stream_buffer, kPositive,
               "Bytes of an answer held for a slow reader before the transfer pauses."),
        Option("max_response_header", &O::max_response_header, kPositive,
               "Largest header of an answer; more ends the request."),
        Option("user_agent", &O::user_agent, "User-Agent header where a request sets none."),
        Option("verify_tls", &O::verify_tls, "Verify server certificates."),
        Option("ca_file", &O::ca_file,
               "PEM file of the authorities that may sign them, in place of the system's; empty: "
               "that of SSL_CERT_FILE where it is set."),
        Option("use_proxy", &O::use_proxy,
               "Whether requests go through the proxies that the environment names (http_proxy, "
               "https_proxy, all_proxy; no_proxy). Never to loopback addresses."));
  }
};

struct HttpServerOptions {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8420;
  std::uint32_t max_connections = 4096;
  Bytes max_header{32 << 10};
  Bytes max_body{8 << 20};
  Bytes max_bodies{64 << 20};
  std::chrono::milliseconds header_timeout{15'000};
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{600'000};
  std::chrono::milliseconds write_timeout{60'000};

  static constexpr auto Fields() {
    using O = HttpServerOptions;
    return std::make_tuple(
        Option("bind", &O::bind, IpAddress(), "Address to listen on; loopback unless you know why.",
               Reload::kRestart),
        Option("port", &O::port, "TCP port; 0 picks a free one.", Reload::kRestart),
        Option(
            "max_connections", &O::max_connections, kPositive,
            "Open connections; more are answered 503 and closed. Fewer where the process may not "
            "open so many files (RLIMIT_NOFILE): 256 of those, or half, are kept for the daemon's "
            "own work."),
        Option("max_header", &O::max_header, kPositive, "Largest request header; more is 431."),
        Option("max_body", &O::max_body, kPositive, "Largest request body; more is 413."),
        Option(
            "max_bodies", &O::max_bodies, kPositive,
            "Bytes of request bodies that are being read, of all connections together; a request "
            "that comes beyond it is 503 with Retry-After. At least max_body."),
        Option("header_timeout", &O::header_timeout, kPositive,
               "From the first byte of a request to the end of its header; then 408."),
        Option("body_timeout", &O::body_timeout, kPositive,
               "To read a whole request body; then 408."),
        Option("idle_timeout", &O::idle_timeout, kPositive,
               "Keep-alive connections without a request close."),
        Option("write_timeout", &O::write_timeout, kPositive,
               "A client that takes no bytes this long is dropped."));
  }
};

}  // namespace talon::io
