// SPDX-License-Identifier: Apache-2.0
// A server as a child process: one message a line on stdin and stdout, its stderr goes to the log.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "mcp/child.h"
#include "mcp/wire.h"

namespace talon::plugins::mcp {

struct StdioOptions {
  std::string server;  // for log lines
  ChildPlan child;
  WireLimits limits;
  std::chrono::milliseconds grace{2'000};  // to end by itself, and again after SIGTERM
  std::size_t max_stderr_lines = 2'000;    // logged of one process; the rest is dropped
};

std::unique_ptr<Wire> MakeStdioWire(StdioOptions options);

}  // namespace talon::plugins::mcp
