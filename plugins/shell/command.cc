// SPDX-License-Identifier: Apache-2.0
#include "shell/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "shell/keeper.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Pipe {
  sdk::Fd read, write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(fmt::format("pipe: {}", std::strerror(errno)));
  }
  Pipe pipe{sdk::Fd(fds[0]), sdk::Fd(fds[1])};
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// A running command, behind its keeper; killed and reaped at the latest by the destructor.
class Child {
 public:
  static absl::StatusOr<Child> Start(const Command& command, int out, int err) {
    const sdk::Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null.valid()) return absl::UnavailableError("cannot open /dev/null");
    const char* const argv[] = {"/bin/sh", "-c", command.text.c_str(), nullptr};
    std::vector<char*> envp;
    envp.reserve(command.environment.size() + 1);
    for (const std::string& item : command.environment) {
      envp.push_back(const_cast<char*>(item.c_str()));
    }
    envp.push_back(nullptr);
    const pid_t pid = StartKeeper({argv, envp.data(), null.get(), out, err, command.folder_fd});
    if (pid < 0) {
      return absl::ResourceExhaustedError(fmt::format("start /bin/sh: {}", std::strerror(errno)));
    }
    return Child(pid, sdk::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U))));
  }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  ~Child() { Reap(); }

  int pidfd() const { return pidfd_.get(); }

  // Has the keeper kill what is left, and takes its exit status; it may have ended before.
  int Reap() {
    if (pid_ <= 0) return 0;
    kill(pid_, SIGTERM);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  Child(pid_t pid, sdk::Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  sdk::Fd pidfd_;
};

// Takes what is there; closes the descriptor at its end.
void Drain(sdk::Fd& fd, OutputBuffer& buffer, std::size_t max_bytes) {
  std::array<char, 16 << 10> chunk;
  std::size_t taken = 0;
  while (fd.valid() && taken < max_bytes) {
    const ssize_t n = read(fd.get(), chunk.data(), chunk.size());
    if (n > 0) {
      buffer.Append({chunk.data(), static_cast<std::size_t>(n)});
      taken += static_cast<std::size_t>(n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      fd.Reset(-1);
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

constexpr std::size_t kDrainBytes = 1u << 20;  // a round; lets exit and timeout be seen in a flood

CommandEnd WaitFor(const Child& child, Clock::time_point deadline, const sdk::CallInfo& call,
                   std::array<Pipe, 2>& pipes, CommandOutcome& outcome) {
  while (true) {
    const auto now = Clock::now();
    if (now >= deadline) return CommandEnd::kTimedOut;
    const auto left = std::chrono::ceil<milliseconds>(deadline - now).count();
    pollfd fds[] = {{child.pidfd(), POLLIN, 0},
                    {call.cancel_fd(), POLLIN, 0},
                    {pipes[0].read.get(), POLLIN, 0},
                    {pipes[1].read.get(), POLLIN, 0}};
    if (poll(fds, 4, static_cast<int>(std::min<long>(left, 1 << 30))) < 0 && errno != EINTR) {
      return CommandEnd::kTimedOut;
    }
    if (fds[1].revents != 0) return CommandEnd::kCancelled;
    Drain(pipes[0].read, outcome.out, kDrainBytes);
    Drain(pipes[1].read, outcome.err, kDrainBytes);
    if (fds[0].revents != 0) return CommandEnd::kExited;
  }
}

}  // namespace

absl::StatusOr<CommandOutcome> RunCommand(const Command& command, const sdk::CallInfo& call) {
  const auto started = Clock::now();
  absl::StatusOr<Pipe> out = MakePipe(), err = MakePipe();
  if (!out.ok()) return out.status();
  if (!err.ok()) return err.status();
  std::array<Pipe, 2> pipes = {*std::move(out), *std::move(err)};
  absl::StatusOr<Child> child = Child::Start(command, pipes[0].write.get(), pipes[1].write.get());
  if (!child.ok()) return child.status();
  if (child->pidfd() < 0) return absl::UnavailableError("pidfd_open is not available");
  for (Pipe& pipe : pipes) pipe.write.Reset(-1);

  CommandOutcome outcome(command.max_output_bytes);
  outcome.end = WaitFor(*child, started + command.timeout, call, pipes, outcome);
  const int status = child->Reap();
  // What the pipes still hold was written before the kill.
  Drain(pipes[0].read, outcome.out, kDrainBytes);
  Drain(pipes[1].read, outcome.err, kDrainBytes);
  outcome.duration = std::chrono::duration_cast<milliseconds>(Clock::now() - started);
  if (outcome.end != CommandEnd::kExited) return outcome;
  const bool signalled = WIFSIGNALED(status);
  outcome.end = signalled ? CommandEnd::kSignalled : CommandEnd::kExited;
  outcome.code = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

}  // namespace talon::plugins
