// SPDX-License-Identifier: Apache-2.0
// Which addresses a fetch may connect to. Decided on the address itself, after name resolution and
// for each connection, so neither a name that changes its answer nor a redirect gets around it.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace talon::plugins {

// Why `address` is not a public one: "a loopback address", "a private address", …; empty when it is
// public. Everything that is not known to be global unicast is refused.
std::string_view WhyNotPublic(const sockaddr* address, socklen_t length);

// "93.184.216.34", "2606:2800::1"; "?" for other families.
std::string AddressText(const sockaddr* address, socklen_t length);

}  // namespace talon::plugins
