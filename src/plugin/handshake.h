// SPDX-License-Identifier: Apache-2.0
// The line a plugin prints on its stdout once it serves. Two dialects, told apart by the second
// field:
//   go-plugin:  CORE|APP|NETWORK|ADDRESS|PROTOCOL[|SERVER_CERT[|MUX]]     1|1|unix|/run/p/s|grpc|
//   OpenTalon:  VERSION|NETWORK|ADDRESS[|HTTP_ADDRESS]                    1|unix|/run/p/s
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plugin/transport.h"

namespace talon::plugin {

enum class Dialect { kGoPlugin, kOpenTalon };

// The contract's version, offered in PLUGIN_PROTOCOL_VERSIONS and expected as APP. Plugins that
// speak nothing newer than kMinAppProtocol are refused by their manifest.
inline constexpr int kAppProtocol = 1;
inline constexpr int kMinAppProtocol = 1;

// What the plugin was told before it started.
struct Offer {
  std::vector<int> versions = {kAppProtocol};
  bool tls = false;        // our certificate: the plugin must answer with its own
  bool plain_tcp = false;  // a loopback address will do without TLS
};

struct Handshake {
  Dialect dialect = Dialect::kGoPlugin;
  Endpoint::Network network = Endpoint::Network::kUnix;
  std::string address;      // absolute path, or address:port
  std::string certificate;  // base64; empty: no TLS
};

// `line` without its newline. Refuses, with the reason and the cure, what this daemon cannot speak
// or did not offer: other versions, net/rpc, TCP without TLS, multiplexing, and what is no
// handshake at all.
absl::StatusOr<Handshake> ParseHandshake(std::string_view line, const Offer& offer);

}  // namespace talon::plugin
