// SPDX-License-Identifier: Apache-2.0
// Runs one command in its own session and waits for it without polling: exit (pidfd), output,
// cancellation and timeout are one poll(2). Behind a keeper (keeper.h) nothing that it started
// outlives its call. Any thread; the command also dies with the thread that runs it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shell/output_buffer.h"
#include "talon/sdk/call.h"

namespace talon::plugins {

struct Command {
  std::string text;                      // for /bin/sh -c
  int folder_fd = -1;                    // where it starts
  std::vector<std::string> environment;  // NAME=value, the whole of it
  std::chrono::milliseconds timeout{0};
  std::size_t max_output_bytes = 0;  // kept of each stream
};

enum class CommandEnd { kExited, kSignalled, kTimedOut, kCancelled };

struct CommandOutcome {
  explicit CommandOutcome(std::size_t max_bytes) : out(max_bytes), err(max_bytes) {}

  CommandEnd end = CommandEnd::kExited;
  int code = 0;  // exit code, or signal number
  std::chrono::milliseconds duration{0};
  OutputBuffer out, err;
};

// Errors: the process could not be started.
absl::StatusOr<CommandOutcome> RunCommand(const Command& command, const sdk::CallInfo& call);

}  // namespace talon::plugins
