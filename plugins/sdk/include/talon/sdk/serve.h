// SPDX-License-Identifier: Apache-2.0
// The main function of a plugin program.
#pragma once

#include <chrono>
#include <cstddef>

#include "talon/sdk/plugin.h"

namespace talon::sdk {

struct ServeOptions {
  int max_calls = 16;                          // at once; further calls wait in the connection
  std::size_t max_request_bytes = 4u << 20;    // larger calls are refused
  std::size_t max_content_bytes = 2u << 20;    // longer content is cut with a note
  std::size_t max_memory_bytes = 64u << 20;    // of the connection's buffers
  std::chrono::milliseconds stop_grace{1000};  // for calls under way at Shutdown or SIGTERM
};

// `--manifest` prints the manifest as protobuf JSON. Started by the daemon (the cookie is in the
// environment) it serves until Shutdown, SIGTERM or the end of its parent. Started by a person it
// explains itself on stderr. Returns the exit code: 0 ended as asked, 1 otherwise.
int Serve(int argc, char** argv, Plugin& plugin, const ServeOptions& options = {});
inline int Serve(int argc, char** argv, Plugin&& plugin, const ServeOptions& options = {}) {
  return Serve(argc, argv, plugin, options);
}

}  // namespace talon::sdk
