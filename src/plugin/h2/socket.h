// SPDX-License-Identifier: Apache-2.0
// The connected, non-blocking socket of an endpoint. Internal to plugin/h2; loop's thread.
#pragma once

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/loop.h"
#include "io/task.h"
#include "plugin/transport.h"

namespace talon::plugin::h2 {

// The caller closes it. Errors do not name the endpoint.
io::Task<absl::StatusOr<int>> OpenSocket(io::Loop& loop, const Endpoint& endpoint,
                                         CallContext context);

}  // namespace talon::plugin::h2
