// SPDX-License-Identifier: Apache-2.0
#include "mcp/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

namespace talon::plugins::mcp {
namespace {

struct Pipe {
  sdk::Fd read, write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(fmt::format("pipe: {}", std::strerror(errno)));
  }
  return Pipe{sdk::Fd(fds[0]), sdk::Fd(fds[1])};
}

std::string_view SearchPath(const std::vector<std::string>& env) {
  for (const std::string& item : env) {
    if (item.starts_with("PATH=")) return std::string_view(item).substr(5);
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

std::vector<char*> Pointers(const std::vector<std::string>& items) {
  std::vector<char*> out;
  out.reserve(items.size() + 1);
  for (const std::string& item : items) out.push_back(const_cast<char*>(item.c_str()));
  out.push_back(nullptr);
  return out;
}

struct ExecPlan {
  const char* program;
  char* const* argv;
  char* const* envp;
  const char* cwd;
  int in, out, err;
  pid_t parent;
  int* error;  // of the parent, which waits meanwhile
};

// Runs between vfork and exec, in the parent's memory: system calls only, and nothing returns.
[[noreturn]] void BecomeServer(const ExecPlan& plan) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 32; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = getppid() == plan.parent && (*plan.cwd == '\0' || chdir(plan.cwd) == 0) &&
                     dup2(plan.in, 0) >= 0 && dup2(plan.out, 1) >= 0 && dup2(plan.err, 2) >= 0 &&
                     syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
  if (ready) execve(plan.program, plan.argv, plan.envp);
  *plan.error = errno;
  _exit(127);
}

void NonBlocking(const sdk::Fd& fd) {
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
}

}  // namespace

std::string FindProgram(const std::string& command, const std::vector<std::string>& env) {
  if (command.find('/') != std::string::npos) {
    return access(command.c_str(), X_OK) == 0 ? command : "";
  }
  std::string_view path = SearchPath(env);
  while (!path.empty()) {
    const std::size_t colon = path.find(':');
    const std::string candidate = fmt::format("{}/{}", path.substr(0, colon), command);
    if (candidate[0] == '/' && access(candidate.c_str(), X_OK) == 0) return candidate;
    path = colon == std::string_view::npos ? "" : path.substr(colon + 1);
  }
  return "";
}

absl::StatusOr<Child> Child::Start(const ChildPlan& plan) {
  const std::string program = FindProgram(plan.command, plan.env);
  if (program.empty()) {
    const bool named = plan.command.find('/') == std::string::npos;
    return absl::NotFoundError(
        fmt::format("'{}' is no program that can be run{}", plan.command,
                    named ? fmt::format(" (PATH is {})", SearchPath(plan.env)) : ""));
  }
  if (!plan.cwd.empty() && access(plan.cwd.c_str(), X_OK) != 0) {
    return absl::NotFoundError(fmt::format("cwd '{}': {}", plan.cwd, std::strerror(errno)));
  }
  absl::StatusOr<Pipe> in = MakePipe(), out = MakePipe(), err = MakePipe();
  if (!in.ok()) return in.status();
  if (!out.ok()) return out.status();
  if (!err.ok()) return err.status();
  std::vector<std::string> args = {plan.command};
  args.insert(args.end(), plan.args.begin(), plan.args.end());
  const std::vector<char*> argv = Pointers(args), envp = Pointers(plan.env);
  int error = 0;
  const ExecPlan exec{program.c_str(),  argv.data(),    envp.data(),
                      plan.cwd.c_str(), in->read.get(), out->write.get(),
                      err->write.get(), getpid(),       &error};
  // vfork: a fork would copy the page tables of a process with many threads, for nothing.
  const pid_t pid = vfork();
  if (pid == 0) BecomeServer(exec);
  if (pid < 0) {
    return absl::ResourceExhaustedError(
        fmt::format("start '{}': {}", program, std::strerror(errno)));
  }
  Child child;
  child.pid_ = pid;
  if (error != 0) {
    return absl::NotFoundError(fmt::format("start '{}': {}", program, std::strerror(error)));
  }
  child.in_ = std::move(in->write);
  child.out_ = std::move(out->read);
  child.err_ = std::move(err->read);
  child.pidfd_ = sdk::Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U)));
  NonBlocking(child.in_);
  NonBlocking(child.out_);
  NonBlocking(child.err_);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      pidfd_(std::move(other.pidfd_)),
      end_(std::move(other.end_)) {}

Child::~Child() {
  Stop(std::chrono::milliseconds(0));
}

bool Child::ExitsWithin(std::chrono::milliseconds time) const {
  const auto deadline = Clock::now() + time;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd fd = {pidfd_.get(), POLLIN, 0};
    const int ready = poll(&fd, 1, static_cast<int>(std::max<long>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

std::string Child::Stop(std::chrono::milliseconds grace) {
  if (pid_ <= 0) return end_;
  in_.Reset(-1);
  if (grace.count() > 0 && !ExitsWithin(grace)) {
    kill(-pid_, SIGTERM);
    ExitsWithin(grace);
  }
  // The leader is not reaped yet, so the number of the group is still ours.
  kill(-pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  end_ = WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                             : fmt::format("exited with code {}", WEXITSTATUS(status));
  return end_;
}

}  // namespace talon::plugins::mcp
