// SPDX-License-Identifier: Apache-2.0
// A server's process with its three pipes, in a session and process group of its own. It gets the
// environment it is given and nothing else. The thread that starts it must outlive it: the process
// dies with that thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/bell.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins::mcp {

struct ChildPlan {
  std::string command;  // a path, or a name looked up in the environment's PATH
  std::vector<std::string> args;
  std::vector<std::string> env;  // NAME=value, the whole of it
  std::string cwd;               // empty: where the plugin runs
};

// The program as execve takes it: a name is looked up in the PATH of `env`. Empty when there is
// none.
std::string FindProgram(const std::string& command, const std::vector<std::string>& env);

class Child {
 public:
  // NotFound when there is no such program or it cannot be executed; the error names it.
  static absl::StatusOr<Child> Start(const ChildPlan& plan);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // kills

  int in() const { return in_.get(); }  // non-blocking, all three
  int out() const { return out_.get(); }
  int err() const { return err_.get(); }
  int exit_fd() const { return pidfd_.get(); }  // readable when the leader has exited

  // Closes stdin, waits `grace`; SIGTERM to the group, waits again; SIGKILL. Answers how the leader
  // ended: "exited with code 1", "was killed by signal 9". Idempotent.
  std::string Stop(std::chrono::milliseconds grace);

 private:
  Child() = default;
  bool ExitsWithin(std::chrono::milliseconds time) const;

  pid_t pid_ = -1;
  sdk::Fd in_, out_, err_, pidfd_;
  std::string end_;
};

}  // namespace talon::plugins::mcp
