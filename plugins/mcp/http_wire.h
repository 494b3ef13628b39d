// SPDX-License-Identifier: Apache-2.0
// A server behind streamable HTTP: every message is a POST, its answer JSON or a stream of events.
// Up to 2025-11-25 there are sessions, a stream of the server's own and streams that are taken up
// again after a break; in 2026-07-28 there is none of that. Redirects are not followed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mcp/wire.h"

namespace talon::plugins::mcp {

struct HttpOptions {
  std::string server;  // for log lines
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::function<std::string()> bearer;  // the access token of now; may be empty or say ""
  WireLimits limits;
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::milliseconds notify_timeout{15'000};  // of a message that has no answer
  std::chrono::milliseconds grace{2'000};            // to end the session at the end
  std::chrono::milliseconds linger{1'000};  // for a stream that stays open after its answer
  std::chrono::milliseconds retry{1'000};   // before a broken stream is opened again
  std::chrono::milliseconds max_retry{60'000};
  int max_resumptions = 10;  // of one request's stream without an event
};

std::unique_ptr<Wire> MakeHttpWire(HttpOptions options);

}  // namespace talon::plugins::mcp
