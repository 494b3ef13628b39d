// SPDX-License-Identifier: Apache-2.0
#include "plugin/go_plugin.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "compat/go_plugin.pb.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {

io::Task<absl::Status> CheckGoPluginHealth(PluginTransport& transport, CallContext context) {
  compat::HealthRequest request;
  request.set_service("plugin");
  const auto answer = co_await transport.Call("/grpc.health.v1.Health/Check",
                                              request.SerializeAsString(), std::move(context));
  if (!answer.ok()) co_return Annotate(answer.status(), "health check");
  compat::HealthResponse response;
  if (!response.ParseFromString(*answer)) {
    co_return h2::Misbehaved("health check: the answer cannot be read");
  }
  if (response.status() != compat::HealthResponse::SERVING) {
    co_return Unavailable(fmt::format("health check: the plugin says it does not serve (status {})",
                                      static_cast<int>(response.status())));
  }
  co_return absl::OkStatus();
}

io::Task<void> ReadGoPluginStdio(PluginTransport& transport,
                                 absl::AnyInvocable<void(const StdioPiece&)> sink) {
  auto stream = transport.Open("/plugin.GRPCStdio/StreamStdio", {});
  if (!stream.ok() || !(co_await (*stream)->Write("")).ok()) co_return;
  (*stream)->CloseWrites();
  compat::StdioData piece;
  while (true) {
    const auto message = co_await (*stream)->Read();
    if (!message.ok() || !*message || !piece.ParseFromString(**message)) co_return;
    sink({piece.channel() == compat::StdioData::STDERR, piece.data()});
  }
}

}  // namespace talon::plugin
