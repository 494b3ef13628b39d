// SPDX-License-Identifier: Apache-2.0
// Everything behind the fork is system calls: the other threads of the plugin are not there, and
// may have held any lock.
#include "shell/keeper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <initializer_list>

namespace talon::plugins {
namespace {

// Rounds of killing before what cannot be killed (another user's process) is left alone; each waits
// this long for an end.
constexpr int kMaxRounds = 200;
constexpr timespec kRound{.tv_sec = 0, .tv_nsec = 10'000'000};

[[noreturn]] void BecomeCommand(const KeeperPlan& plan, pid_t parent) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 32; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = getppid() == parent && fchdir(plan.folder) == 0 && dup2(plan.in, 0) >= 0 &&
                     dup2(plan.out, 1) >= 0 && dup2(plan.err, 2) >= 0 &&
                     syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
  if (ready) execve(plan.argv[0], const_cast<char* const*>(plan.argv), plan.envp);
  _exit(127);
}

// Appends the number and returns the end.
char* Append(char* to, pid_t number) {
  char digits[12];
  int count = 0;
  for (; number > 0; number /= 10) digits[count++] = static_cast<char>('0' + number % 10);
  while (count > 0) *to++ = digits[--count];
  return to;
}

char* Append(char* to, const char* text) {
  while (*text != '\0') *to++ = *text++;
  return to;
}

// Whether /proc is that of our own process namespace: else its numbers are not ours.
bool ProcIsOurs(pid_t self) {
  char link[16], own[16];
  const ssize_t length = readlink("/proc/self", link, sizeof(link));
  const char* end = Append(own, self);
  if (length != end - own) return false;
  for (ssize_t i = 0; i < length; ++i) {
    if (link[i] != own[i]) return false;
  }
  return true;
}

// Nobody but us reaps them, so their numbers stay theirs.
void KillChildren(pid_t self) {
  char path[64];
  char* end = Append(path, "/proc/self/task/");
  end = Append(end, self);
  *Append(end, "/children") = '\0';
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char chunk[4096];
  pid_t number = 0;
  for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;) {
    for (ssize_t i = 0; i < n; ++i) {
      if (chunk[i] >= '0' && chunk[i] <= '9') {
        number = number * 10 + (chunk[i] - '0');
        continue;
      }
      if (number > 1) kill(number, SIGKILL);
      number = 0;
    }
  }
  close(fd);
}

class Keeper {
 public:
  explicit Keeper(const KeeperPlan& plan) : plan_(plan) {}

  [[noreturn]] void Run(pid_t parent) {
    prctl(PR_SET_NAME, "shell-keeper");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    for (const int signal : {SIGCHLD, SIGTERM}) sigaction(signal, &standard, nullptr);
    if (getppid() != parent) _exit(127);
    command_ = vfork();
    if (command_ == 0) BecomeCommand(plan_, self_);
    if (command_ < 0) _exit(127);
    syscall(SYS_close_range, 0U, ~0U, 0U);
    WaitForEnd();
    KillAll();
    EndAsTheCommand();
  }

 private:
  // Takes the ends there are; false when no child is left.
  bool Reap() {
    while (true) {
      int status = 0;
      const pid_t ended = waitpid(-1, &status, WNOHANG);
      if (ended <= 0) return ended == 0;
      if (ended != command_) continue;
      over_ = true;
      status_ = status;
    }
  }

  void WaitForEnd() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    while (Reap() && !over_) {
      if (sigwaitinfo(&wanted, nullptr) == SIGTERM) return;
    }
  }

  // Children of what is killed become ours, and are next.
  void KillAll() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    if (!over_) kill(-command_, SIGKILL);
    const bool sees_children = ProcIsOurs(self_);
    for (int round = 0; round < kMaxRounds && Reap(); ++round) {
      if (sees_children) {
        KillChildren(self_);
      } else if (over_) {
        return;
      }
      sigtimedwait(&ends, nullptr, &kRound);
    }
  }

  [[noreturn]] void EndAsTheCommand() const {
    if (over_ && WIFSIGNALED(status_)) {
      const rlimit none{0, 0};
      setrlimit(RLIMIT_CORE, &none);
      struct sigaction standard = {};
      standard.sa_handler = SIG_DFL;
      sigaction(WTERMSIG(status_), &standard, nullptr);
      sigset_t all;
      sigemptyset(&all);
      sigprocmask(SIG_SETMASK, &all, nullptr);
      kill(self_, WTERMSIG(status_));
    }
    _exit(over_ ? WEXITSTATUS(status_) : 127);
  }

  const KeeperPlan& plan_;
  const pid_t self_ = getpid();
  pid_t command_ = -1;
  bool over_ = false;  // the command; then with status_
  int status_ = 0;
};

}  // namespace

pid_t StartKeeper(const KeeperPlan& plan) {
  const pid_t parent = getpid();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = _Fork();
  if (pid == 0) Keeper(plan).Run(parent);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

}  // namespace talon::plugins
