// SPDX-License-Identifier: Apache-2.0
// From a plugin's handshake to a connection that speaks talon.v1, whatever the plugin speaks
// itself. Loop's thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"
#include "plugin/handshake.h"
#include "plugin/launch.h"
#include "plugin/options.h"
#include "plugin/tls_identity.h"
#include "plugin/transport.h"

namespace talon::plugin {

struct Connecting {
  const LaunchSpec& spec;
  const HostOptions& options;
  std::optional<TlsIdentity> identity;  // when TLS was offered
  pid_t pid = 0;                        // of the plugin
};

// Refuses a dialect that the entry does not allow. A stock go-plugin must say that it is healthy.
// `connecting`'s references must outlive the call.
io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> ConnectPlugin(io::Loop& loop,
                                                                         Handshake handshake,
                                                                         Connecting connecting,
                                                                         CallContext context);

}  // namespace talon::plugin
