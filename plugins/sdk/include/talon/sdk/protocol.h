// SPDX-License-Identifier: Apache-2.0
// The words of the handshake between the daemon and a plugin process. Both sides include this file;
// it includes nothing.
//
// The daemon starts the plugin with kCookieName=kCookieValue and kSocketDirName=<private folder> in
// its environment. The plugin listens on a socket in that folder and prints one line on stdout:
//   1|1|unix|<path of the socket>|grpc
// with the version of the handshake, the version of talon.v1 it speaks, network, address, protocol.
#pragma once

namespace talon::sdk {

inline constexpr char kCookieName[] = "TALON_PLUGIN_COOKIE";
inline constexpr char kCookieValue[] = "talon-plugin-v1";
// A secret of this start: whoever does not send it with a call is not the daemon.
inline constexpr char kCallerKeyName[] = "TALON_CALLER_KEY";
inline constexpr char kCallerKeyHeader[] = "talon-caller-key";
inline constexpr char kSocketDirName[] = "PLUGIN_UNIX_SOCKET_DIR";
inline constexpr int kHandshakeVersion = 1;
inline constexpr int kProtocolVersion = 1;

}  // namespace talon::sdk
