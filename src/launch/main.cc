// SPDX-License-Identifier: Apache-2.0
// talon-launch: between the daemon and a plugin. Reads the policy, puts the layers on, becomes the
// program. A layer that the kernel lacks is reported and left out, unless the policy requires it;
// one that fails ends everything: the program never runs with less than was reported.
//
// With namespaces there are three processes: this one stays as the child the daemon knows, the
// first process of the new process namespace does nothing, and the program is the second. When any
// of the three or the daemon dies, the kernel ends all that the program has started.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "launch/layers.h"
#include "launch/policy.h"

namespace talon::launch {
namespace {

constexpr int kPolicyRefused = 125;
constexpr int kLayerFailed = 126;
constexpr int kNotStarted = 127;

// Told in one piece: each write wakes the daemon.
struct Report {
  char text[1024];
  std::size_t size = 0;
};
Report report;

void Say(const char* format, const char* name, const char* word, int first, int second) {
  const std::size_t room = sizeof(report.text) - report.size;
  const int size =
      std::snprintf(report.text + report.size, room, format, name, word, first, second);
  if (size > 0 && static_cast<std::size_t>(size) < room) {
    report.size += static_cast<std::size_t>(size);
  }
}

void SendReport() {
  // Nobody to tell that nobody listens; a daemon that is gone ends us anyway.
  if (report.size > 0) (void)!write(kStatusFd, report.text, report.size);
  report.size = 0;
}

[[noreturn]] void Fatal(const char* layer, int error, int code) {
  Say("fatal %s%s %d\n", layer, "", error, 0);
  SendReport();
  _exit(code);
}

// Whether the layer is on. Ends the process when it must be and is not.
bool Note(const char* layer, const Outcome& outcome, bool required) {
  const char* words[] = {"ok", "unavailable", "failed"};
  Say("%s %s %d %d\n", layer, words[static_cast<int>(outcome.kind)], outcome.error, outcome.detail);
  if (outcome.kind == Outcome::Kind::kOk) return true;
  if (required || outcome.kind == Outcome::Kind::kFailed) Fatal(layer, outcome.error, kLayerFailed);
  return false;
}

// The policy, in memory that stays. Its file is ours alone.
bool LoadPolicy(Policy& policy) {
  struct stat info{};
  if (fstat(kPolicyFd, &info) != 0 || info.st_size <= 0) return false;
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > kMaxPolicy) return false;
  void* text = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, kPolicyFd, 0);
  return text != MAP_FAILED && ReadPolicy(static_cast<char*>(text), size, policy);
}

// The kernel kills us when our parent has died; `alive` ends when it died before we asked for it.
void DieWithParent(int alive) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd parent{alive, 0, 0};
  if (poll(&parent, 1, 0) != 0) _exit(kNotStarted);
}

void BlockSignals(int how) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(how, &all, nullptr);
}

// Nothing of ours may be read or used by the program, and we hold none of its descriptors.
void BecomeNobody(int keep) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  dup2(keep, 3);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  Policy same_user;
  DropPrivileges(same_user);
  prctl(PR_SET_DUMPABLE, 0);
  if (chdir("/") != 0) _exit(kNotStarted);
}

[[noreturn]] void BeFirstProcess(int alive, int network) {
  DieWithParent(alive);
  if (network >= 0 && !JoinNetwork(network)) _exit(kNotStarted);
  std::signal(SIGCHLD, SIG_IGN);  // whoever is orphaned to us is reaped by the kernel
  BlockSignals(SIG_BLOCK);
  BecomeNobody(alive);
  while (true) pause();
}

[[noreturn]] void Execute(const Policy& policy) {
  char* const* arguments = policy.args.items;
  SendReport();
  // The status descriptor ends with a successful exec: that is the good news.
  if (policy.program_fd) {
    syscall(SYS_execveat, kProgramFd, "", arguments, policy.env.items, AT_EMPTY_PATH);
  } else {
    execve(policy.program, arguments, policy.env.items);
  }
  Fatal("exec", errno, kNotStarted);
}

struct Around {
  bool namespaces = false, user = false;
  int alive = -1;    // ends with our parent; -1 without namespaces
  int network = -1;  // where the network namespace comes from; -1 without one
};

// From KERNEL 5.14 on a user namespace counts its own processes.
bool CountsProcesses(const Policy& policy, const Around& around) {
  return policy.own_uid || (around.user && geteuid() != 0);
}

[[noreturn]] void BecomeProgram(const Policy& policy, const Around& around) {
  errno = EPERM;
  Outcome built = Unavailable();
  Outcome proc = built;
  if (around.namespaces) {
    DieWithParent(around.alive);
    built = BuildView(policy, proc);
    if (around.network >= 0 && !JoinNetwork(around.network)) {
      Fatal("namespaces", errno, kLayerFailed);
    }
  }
  const bool view = Note("view", built, policy.require);
  Note("proc", proc, policy.require);
  // Landlock cannot take back what it gives around it.
  for (const Grant& grant : policy.grants) {
    if (grant.mode == 'c' && !view) Fatal("view", EACCES, kLayerFailed);
  }
  umask(077);
  if (chdir(policy.directory) != 0) Fatal("directory", errno, kLayerFailed);
  Outcome limits = SetLimits(policy, CountsProcesses(policy, around));
  if (policy.cgroups.size == 0) limits.detail = policy.forks ? kUncounted : kThreadsOnly;
  Note("limits", limits, true);
  // Before it changes who may write where the program is found.
  Note("user", DropPrivileges(policy), true);
  // A change of user forgets it.
  if (around.namespaces) DieWithParent(around.alive);
  Note("files", ConfineFiles(policy, view), policy.require);
  syscall(SYS_close_range, 3U, ~0U, 4U);  // CLOSE_RANGE_CLOEXEC
  Note("calls", FilterCalls(policy, view), policy.require);
  if (policy.probe) {
    SendReport();
    _exit(0);
  }
  Execute(policy);
}

// Ends as the program ended.
[[noreturn]] void EndLike(int status) {
  if (WIFSIGNALED(status)) {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    std::signal(WTERMSIG(status), SIG_DFL);
    BlockSignals(SIG_UNBLOCK);
    raise(WTERMSIG(status));
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kNotStarted);
}

[[noreturn]] void WatchProgram(const Policy& policy, const Around& around) {
  int alive[2];
  int network[2] = {-1, -1};
  if (pipe2(alive, O_CLOEXEC) != 0 ||
      (!policy.outbound && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, network) != 0)) {
    Fatal("namespaces", errno, kLayerFailed);
  }
  const int own = OwnNamespaces();
  const pid_t first = fork();
  if (first == 0) {
    close(alive[1]);
    close(network[1]);
    BeFirstProcess(alive[0], network[0]);
  }
  if (first < 0) Fatal("namespaces", errno, kLayerFailed);
  const pid_t program = fork();
  if (program == 0) {
    close(alive[1]);
    close(network[1]);
    Around inside = around;
    inside.alive = alive[0];
    inside.network = network[0];
    BecomeProgram(policy, inside);
  }
  if (program < 0) Fatal("namespaces", errno, kLayerFailed);
  report.size = 0;  // the program tells it
  if (!policy.outbound && !MakeNetwork(network[1], own)) Fatal("namespaces", errno, kLayerFailed);
  Say("pid%s%s %d\n", "", "", program, 0);
  SendReport();
  BlockSignals(SIG_BLOCK);
  BecomeNobody(alive[1]);
  int status = 0;
  while (waitpid(program, &status, 0) < 0 && errno == EINTR) {
  }
  kill(first, SIGKILL);
  // Ends when everything in the namespace has.
  while (waitpid(first, nullptr, 0) < 0 && errno == EINTR) {
  }
  EndLike(status);
}

// Until the daemon has written it.
void AwaitPolicy() {
  char byte = 0;
  if (read(kReadyFd, &byte, 1) != 1) _exit(kNotStarted);
  close(kReadyFd);
}

Outcome EnterAsked(const Policy& policy) {
  if (policy.namespaces) return EnterNamespaces();
  errno = EPERM;
  return Unavailable();
}

// When memory runs out the kernel ends a plugin before anything else.
void GoFirst() {
  const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0) return;
  (void)!write(score, "1000", 4);
  close(score);
}

int Main(const char* when) {
  static Policy policy;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  GoFirst();
  Outcome entered;
  const bool early = std::strcmp(when, kEarly) == 0;
  if (early) entered = EnterNamespaces();  // what needs no policy, while it is written
  if (early || std::strcmp(when, kLate) == 0) AwaitPolicy();
  if (!LoadPolicy(policy) || (early && !policy.namespaces)) Fatal("policy", EINVAL, kPolicyRefused);
  close(kPolicyFd);
  if (static_cast<std::uint64_t>(getppid()) != policy.parent) return kNotStarted;
  Note("cgroup", JoinCgroups(policy), policy.require);
  if (!early) entered = EnterAsked(policy);
  Around around;
  around.namespaces = Note("namespaces", entered, policy.require);
  around.user = entered.detail == 1;
  if (around.namespaces) WatchProgram(policy, around);
  BecomeProgram(policy, around);
}

// A program without a sandbox, which at least ends with the daemon: see policy.h.
int RunBound(int count, char** words) {
  constexpr int kFirstArgument = 4;
  fcntl(kProgramFd, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count <= kFirstArgument || getppid() != std::atoi(words[2])) return kNotStarted;
  char** const arguments = words + kFirstArgument;
  if (std::strcmp(words[3], "-") == 0) {
    syscall(SYS_execveat, kProgramFd, "", arguments, environ, AT_EMPTY_PATH);
  } else {
    execve(words[3], arguments, environ);
  }
  dprintf(STDERR_FILENO, "talon-launch: %s\n", std::strerror(errno));
  return kNotStarted;
}

}  // namespace
}  // namespace talon::launch

int main(int count, char** words) {
  if (count > 1 && std::strcmp(words[1], talon::launch::kBound) == 0) {
    return talon::launch::RunBound(count, words);
  }
  return talon::launch::Main(count == 2 ? words[1] : "");
}
