// SPDX-License-Identifier: Apache-2.0
#include "plugin/connect.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "plugin/go_plugin.h"
#include "plugin/opentalon.h"

namespace talon::plugin {
namespace {

absl::Status CheckDialect(Protocol wanted, Dialect dialect) {
  const bool opentalon = dialect == Dialect::kOpenTalon;
  if (wanted == Protocol::kAuto || (wanted == Protocol::kOpenTalon) == opentalon) {
    return absl::OkStatus();
  }
  return FailedPrecondition(
      fmt::format("handshake: the plugin speaks {}; set `protocol: {}` for it, or leave it out",
                  opentalon ? "OpenTalon's protocol" : "the protocol of talon and go-plugin",
                  opentalon ? "opentalon" : "talon"));
}

absl::StatusOr<Endpoint> MakeEndpoint(const Handshake& handshake, const Connecting& connecting) {
  Endpoint endpoint;
  endpoint.network = handshake.network;
  endpoint.address = handshake.address;
  endpoint.peer_pid = connecting.pid;
  if (handshake.dialect != Dialect::kOpenTalon) endpoint.caller_key = connecting.spec.caller_key;
  if (!handshake.certificate.empty() && connecting.identity) {
    TALON_ASSIGN_OR_RETURN(std::string certificate, DecodeCertificate(handshake.certificate));
    endpoint.tls = TlsTerms{*connecting.identity, std::move(certificate)};
  }
  return endpoint;
}

// A plugin of OpenTalon's SDK before v0.0.2 prints the same handshake and waits for JSON.
absl::Status SayWhatItMayBe(const absl::Status& error) {
  const bool sure = ReasonOf(error) == ErrorReason::kPluginMisbehaved;
  const bool other =
      sure || ReasonOf(error) == ErrorReason::kPluginCrashed || absl::IsDeadlineExceeded(error);
  if (!other) return error;
  return Annotate(error,
                  fmt::format("it {} HTTP/2 (OpenTalon's SDK before v0.0.2 did not: rebuild the "
                              "plugin with a newer one)",
                              sure ? "does not speak" : "may not speak"));
}

}  // namespace

io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> ConnectPlugin(io::Loop& loop,
                                                                         Handshake handshake,
                                                                         Connecting connecting,
                                                                         CallContext context) {
  const bool opentalon = handshake.dialect == Dialect::kOpenTalon;
  TALON_CO_RETURN_IF_ERROR(CheckDialect(connecting.spec.protocol, handshake.dialect));
  TALON_CO_ASSIGN_OR_RETURN(Endpoint endpoint, MakeEndpoint(handshake, connecting));
  TransportLimits limits;
  limits.max_message_bytes = connecting.options.max_message.value;
  limits.max_calls = connecting.options.max_calls;
  if (opentalon)
    limits.max_message_bytes = std::max(limits.max_message_bytes, kOpenTalonMaxMessage);
  auto transport = co_await Connect(loop, std::move(endpoint), limits, context);
  if (opentalon && !connecting.spec.socket) {
    if (!transport.ok()) co_return SayWhatItMayBe(transport.status());
    co_return TranslateOpenTalon(*std::move(transport), connecting.spec.config_json);
  }
  if (transport.ok() && connecting.spec.protocol == Protocol::kGoPlugin) {
    TALON_CO_RETURN_IF_ERROR(co_await CheckGoPluginHealth(**transport, context));
  }
  co_return transport;
}

}  // namespace talon::plugin
