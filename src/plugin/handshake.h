// SPDX-License-Identifier: Apache-2.0
// The line a plugin prints on its stdout once it serves. Two dialects, told apart by the second
// field:
//   go-plugin:  CORE|APP|NETWORK|ADDRESS|PROTOCOL[|SERVER_CERT[|MUX]]     1|1|unix|/run/p/s|grpc|
//   OpenTalon:  VERSION|NETWORK|ADDRESS[|HTTP_ADDRESS]                    1|unix|/run/p/s
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon::plugin {

enum class Dialect { kGoPlugin, kOpenTalon };

struct Handshake {
  Dialect dialect = Dialect::kGoPlugin;
  std::string socket_path;   // absolute
  std::string http_address;  // OpenTalon only; may be empty
};

// The contract's version, offered in PLUGIN_PROTOCOL_VERSIONS and expected as APP.
inline constexpr int kAppProtocol = 1;
// The oldest one this daemon still speaks.
inline constexpr int kMinAppProtocol = 1;

// `line` without its newline. Refuses, with the reason and the cure, what this daemon cannot speak:
// other versions, net/rpc, TCP, multiplexing, TLS, and what is no handshake at all.
absl::StatusOr<Handshake> ParseHandshake(std::string_view line);

}  // namespace talon::plugin
