// SPDX-License-Identifier: Apache-2.0
// Child processes: posix_spawn, pipes and a pidfd on the event loop; an exit is an event, never a
// SIGCHLD or a poll. Loop's thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"

namespace talon::io {

class Loop;

struct SpawnOptions {
  std::string program;            // path, not searched in PATH
  std::vector<std::string> args;  // without argv[0]
  std::vector<std::string> env;   // "NAME=value"; exactly this, nothing inherited
  std::string directory;          // working directory; empty = the daemon's
  bool new_session = true;        // setsid: signals to the daemon's terminal do not reach it
  // Limits are the process's own, but see descriptor_limit.h.
  // Descriptors besides stdio that the child gets, by their number there; all others are closed.
  std::vector<std::pair<int, int>> keep;  // {our fd, child's fd, 3 to 255}
  int report_fd = -1;  // the child's number of one more pipe, which ReadReport() reads; -1 = none
  // What is executed instead of `program`, which then is only its name. Not for scripts, whose
  // interpreter could not open it. The child does not keep it. -1 = none.
  int program_fd = -1;
};

struct ExitResult {
  int code = 0;    // exit code, when it exited
  int signal = 0;  // terminating signal, when it was killed
};

class Process {
 public:
  // Kills and reaps a child that still runs, and with new_session whatever it left running in its
  // group. Reads and waits under way end with Cancelled or the exit.
  virtual ~Process() = default;
  virtual pid_t pid() const = 0;
  // The next bytes of stdout / stderr; empty at end of file.
  virtual Task<absl::StatusOr<std::string>> ReadStdout() = 0;
  virtual Task<absl::StatusOr<std::string>> ReadStderr() = 0;
  // The same of the pipe at report_fd.
  virtual Task<absl::StatusOr<std::string>> ReadReport() = 0;
  // Any number of waiters; ends at once when the child is gone.
  virtual Task<absl::StatusOr<ExitResult>> Wait(CallContext context) = 0;
  virtual bool exited() const = 0;
  // To the process, or to its whole group when it leads one (new_session).
  virtual void Signal(int signal_number) = 0;
};

// Stdin is /dev/null. Fails with NotFound, PermissionDenied or Internal, naming the program.
absl::StatusOr<std::unique_ptr<Process>> Spawn(Loop& loop, const SpawnOptions& options);

}  // namespace talon::io
