// SPDX-License-Identifier: Apache-2.0
// What HashiCorp's go-plugin serves beside talon.v1: its output, its health, its end. Loop's
// thread.
#pragma once

#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/call_context.h"
#include "io/task.h"
#include "plugin/transport.h"

namespace talon::plugin {

// Answers UNAVAILABLE when it worked: the server ends inside the call.
inline constexpr std::string_view kGoPluginShutdown = "/plugin.GRPCController/Shutdown";

// OK when the plugin says that it serves.
io::Task<absl::Status> CheckGoPluginHealth(PluginTransport& transport, CallContext context);

struct StdioPiece {
  bool is_stderr = false;
  std::string_view data;  // valid during the call
};
// Reads what the plugin prints after its handshake: go-plugin sends it over the connection, and the
// plugin blocks when nobody reads. Ends with the connection, at once when the plugin does not serve
// it.
io::Task<void> ReadGoPluginStdio(PluginTransport& transport,
                                 absl::AnyInvocable<void(const StdioPiece&)> sink);

}  // namespace talon::plugin
