// SPDX-License-Identifier: Apache-2.0
// Tells a service manager (systemd, Type=notify) how the daemon is. Any thread.
#pragma once

#include <string_view>

namespace talon::daemon {

// One datagram to $NOTIFY_SOCKET; nothing when it is unset.
void NotifyServiceManager(std::string_view state);

}  // namespace talon::daemon
