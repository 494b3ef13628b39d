// SPDX-License-Identifier: Apache-2.0
#include "io/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "base/status.h"
#include "io/descriptor_limit.h"
#include "io/loop.h"

namespace talon::io {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

// Longest wait in the destructor for a killed child; one that takes longer is reaped by the loop.
constexpr int kReapMs = 100;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct Pipe {
  Fd read, write;
};

absl::StatusOr<Pipe> OpenPipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "open a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// posix_spawn's two argument objects.
class SpawnArguments {
 public:
  SpawnArguments() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnArguments() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnArguments(const SpawnArguments&) = delete;
  SpawnArguments& operator=(const SpawnArguments&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// No signal blocked or ignored, whatever the daemon's thread does.
void SetAttributes(posix_spawnattr_t& attributes, bool new_session) {
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  const int session = new_session ? POSIX_SPAWN_SETSID : 0;
  ::posix_spawnattr_setflags(
      &attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session));
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status SpawnError(int error, const SpawnOptions& options) {
  struct stat info{};
  const bool no_directory =
      !options.directory.empty() &&
      (::stat(options.directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode));
  const std::string attempt = no_directory ? fmt::format("start '{}' in '{}' (no such folder)",
                                                         options.program, options.directory)
                                           : fmt::format("start '{}'", options.program);
  if (error == ENOENT || error == ENOTDIR) {
    return NotFound(no_directory ? attempt : attempt + ": no such file, or its interpreter");
  }
  if (error == EACCES || error == EPERM) {
    return PermissionDenied(attempt + ": not an executable file this user may run");
  }
  if (error == ENOEXEC) return Internal(attempt + ": not a program for this machine");
  return ErrnoToStatus(error, attempt);
}

struct Spawned {
  pid_t pid = 0;
  Fd pidfd, out, err, report;
};

// In the child: 0 = /dev/null, 1 and 2 = the pipes, `keep` by its numbers, nothing else.
// `*program` becomes the path of program_fd in the child, which ends with the exec.
absl::Status AddActions(posix_spawn_file_actions_t& actions, const SpawnOptions& options, int out,
                        int err, std::vector<Fd>& sources, std::string* program) {
  int top = 2;
  for (const auto& [ours, theirs] : options.keep) {
    if (theirs < 3 || theirs > 255) {
      return InvalidArgument("start: the child's number of a kept descriptor must be 3 to 255");
    }
    top = std::max(top, theirs);
  }
  // Copies above every target, so that no dup2 overwrites the source of a later one.
  const auto copy_above = [&](int fd) -> absl::StatusOr<int> {
    sources.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, top + 1));
    if (sources.back().get() < 0)
      return ErrnoToStatus(errno, fmt::format("copy descriptor {}", fd));
    return sources.back().get();
  };
  TALON_ASSIGN_OR_RETURN(const int out_copy, copy_above(out));
  TALON_ASSIGN_OR_RETURN(const int err_copy, copy_above(err));
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out_copy, 1);
  ::posix_spawn_file_actions_adddup2(&actions, err_copy, 2);
  for (int fd = 3; fd <= top; ++fd) ::posix_spawn_file_actions_addclose(&actions, fd);
  for (const auto& [ours, theirs] : options.keep) {
    TALON_ASSIGN_OR_RETURN(const int copy, copy_above(ours));
    ::posix_spawn_file_actions_adddup2(&actions, copy, theirs);
  }
  int above = top + 1;
  if (options.program_fd >= 0) {
    TALON_ASSIGN_OR_RETURN(const int copy, copy_above(options.program_fd));
    for (; above < copy; ++above) ::posix_spawn_file_actions_addclose(&actions, above);
    above = copy + 1;
    *program = fmt::format("/proc/self/fd/{}", copy);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&actions, above);
  if (!options.directory.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  return absl::OkStatus();
}

absl::StatusOr<Spawned> Start(const Loop& loop, SpawnOptions options) {
  TALON_ASSIGN_OR_RETURN(Pipe out, OpenPipe());
  TALON_ASSIGN_OR_RETURN(Pipe err, OpenPipe());
  Pipe report;
  if (options.report_fd >= 0) {
    TALON_ASSIGN_OR_RETURN(report, OpenPipe());
    options.keep.emplace_back(report.write.get(), options.report_fd);
  }
  SpawnArguments arguments;
  std::vector<Fd> sources;
  std::string program = options.program;
  TALON_RETURN_IF_ERROR(
      AddActions(arguments.actions, options, out.write.get(), err.write.get(), sources, &program));
  SetAttributes(arguments.attributes, options.new_session);
  std::vector<std::string> argv = options.args;
  argv.insert(argv.begin(), options.program);
  Spawned child;
  int error = 0;
  {
    const ChildDescriptorLimit limit(loop);
    error = ::posix_spawn(&child.pid, program.c_str(), &arguments.actions, &arguments.attributes,
                          Pointers(argv).data(), Pointers(options.env).data());
  }
  if (error != 0) return SpawnError(error, options);
  child.pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (child.pidfd.get() < 0) {
    const int cause = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return ErrnoToStatus(cause, fmt::format("watch the process of '{}'", options.program));
  }
  child.out = std::move(out.read);
  child.err = std::move(err.read);
  child.report = std::move(report.read);
  return child;
}

// Bytes that are there; empty string at end of file; nothing when one has to wait.
absl::StatusOr<std::optional<std::string>> ReadAvailable(int fd) {
  char buffer[16 << 10];
  ssize_t n = 0;
  do {
    n = ::read(fd, buffer, sizeof(buffer));
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return std::string(buffer, static_cast<std::size_t>(n));
  if (errno == EAGAIN) return std::nullopt;
  return ErrnoToStatus(errno, "read a child's output");
}

// Shared with the coroutines that read and wait, and with the watch for the exit. An exited child
// stays a zombie until the Process is destroyed: so long its number and its group's are not given
// away, and signals reach nobody else.
class Child : public std::enable_shared_from_this<Child> {
 public:
  Child(Loop& loop, pid_t pid_in, bool leads_group)
      : pid(pid_in),
        out(loop.context()),
        err(loop.context()),
        report(loop.context()),
        loop_(loop),
        leads_group_(leads_group),
        pidfd_(loop.context()) {}

  // The loop ended before the child did.
  ~Child() {
    if (!reaped_) Kill();
    if (!reaped_) ::waitpid(pid, nullptr, 0);
  }

  // Hands the descriptors to the loop. A Child whose descriptors it refuses dies with its process.
  absl::Status Adopt(Spawned spawned) {
    const std::pair<Descriptor&, Fd&> pairs[] = {
        {out, spawned.out}, {err, spawned.err}, {report, spawned.report}, {pidfd_, spawned.pidfd}};
    for (const auto& [descriptor, fd] : pairs) {
      if (fd.get() < 0) continue;
      boost::system::error_code error;
      if (descriptor.assign(fd.get(), error); error) {
        return ErrnoToStatus(error.value(), fmt::format("watch process {}", pid));
      }
      fd.release();
    }
    WatchExit();
    return absl::OkStatus();
  }

  void Signal(int number) const {
    if (!reaped_) ::kill(leads_group_ ? -pid : pid, number);
  }

  bool exited() const { return result_.has_value(); }

  // The Process is destroyed.
  void Abandon() {
    Kill();
    pollfd exit{pidfd_.native_handle(), POLLIN, 0};
    if (!exited() && ::poll(&exit, 1, kReapMs) == 1) NoteExit();
    abandoned_ = true;
    boost::system::error_code ignored;
    out.close(ignored);
    err.close(ignored);
    report.close(ignored);
    if (exited()) Reap();
  }

  static Task<absl::StatusOr<ExitResult>> Wait(std::shared_ptr<Child> self, CallContext context) {
    if (self->exited()) co_return *self->result_;
    if (context.cancel.cancelled()) co_return context.cancel.status();
    const auto woken = std::make_shared<OneShot<bool>>();
    self->waiters_.push_back(woken);
    const auto wake = [woken] { woken->Set(true); };
    const CancelRegistration registration = context.cancel.OnCancel(wake);
    TimerId timer;
    if (context.deadline != SteadyTime::max()) timer = self->loop_.CallAt(context.deadline, wake);
    co_await woken->Wait();
    self->loop_.CancelTimer(timer);
    std::erase(self->waiters_, woken);
    if (self->exited()) co_return *self->result_;
    if (context.cancel.cancelled()) co_return context.cancel.status();
    co_return DeadlineExceeded(
        fmt::format("wait for process {}: it still ran at the deadline", self->pid));
  }

  static Task<absl::StatusOr<std::string>> Read(std::shared_ptr<Child> self,
                                                Descriptor Child::* output) {
    Descriptor& stream = (*self).*output;
    while (stream.is_open()) {
      auto bytes = ReadAvailable(stream.native_handle());
      if (!bytes.ok()) co_return bytes.status();
      if (bytes->has_value()) co_return **std::move(bytes);
      co_await stream.async_wait(Descriptor::wait_read,
                                 boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return Cancelled(fmt::format("read output of process {}: it was given up", self->pid));
  }

  const pid_t pid;
  Descriptor out, err, report;

 private:
  void WatchExit() {
    pidfd_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& error) {
      if (error) return;
      self->NoteExit();
      if (self->abandoned_) self->Reap();
    });
  }

  // Also what it left running in its group.
  void Kill() const { Signal(SIGKILL); }

  void NoteExit() {
    siginfo_t info{};
    if (exited()) return;
    const int flags = WEXITED | WNOWAIT | WNOHANG;
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info, flags) == 0) {
      if (info.si_pid == 0) return;
    }
    const bool by_signal = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    result_ = by_signal ? ExitResult{.signal = info.si_status} : ExitResult{.code = info.si_status};
    for (const auto& waiter : std::exchange(waiters_, {})) waiter->Set(true);
  }

  void Reap() {
    if (std::exchange(reaped_, true)) return;
    ::waitpid(pid, nullptr, 0);
    boost::system::error_code ignored;
    pidfd_.close(ignored);
  }

  Loop& loop_;
  const bool leads_group_;
  Descriptor pidfd_;
  std::optional<ExitResult> result_;
  std::vector<std::shared_ptr<OneShot<bool>>> waiters_;
  bool abandoned_ = false;
  bool reaped_ = false;
};

class SpawnedProcess final : public Process {
 public:
  explicit SpawnedProcess(std::shared_ptr<Child> child) : child_(std::move(child)) {}
  ~SpawnedProcess() override { child_->Abandon(); }

  pid_t pid() const override { return child_->pid; }
  Task<absl::StatusOr<std::string>> ReadStdout() override {
    return Child::Read(child_, &Child::out);
  }
  Task<absl::StatusOr<std::string>> ReadStderr() override {
    return Child::Read(child_, &Child::err);
  }
  Task<absl::StatusOr<std::string>> ReadReport() override {
    return Child::Read(child_, &Child::report);
  }
  Task<absl::StatusOr<ExitResult>> Wait(CallContext context) override {
    return Child::Wait(child_, std::move(context));
  }
  bool exited() const override { return child_->exited(); }
  void Signal(int signal_number) override { child_->Signal(signal_number); }

 private:
  std::shared_ptr<Child> child_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Spawn(Loop& loop, const SpawnOptions& options) {
  TALON_ASSIGN_OR_RETURN(Spawned spawned, Start(loop, options));
  auto child = std::make_shared<Child>(loop, spawned.pid, options.new_session);
  TALON_RETURN_IF_ERROR(child->Adopt(std::move(spawned)));
  return std::make_unique<SpawnedProcess>(std::move(child));
}

}  // namespace talon::io
