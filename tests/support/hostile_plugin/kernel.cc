// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "attempts.h"

namespace talon::hostile {
namespace {

std::string Tracing(const Facts&) {
  Tally tally;
  char zero[256] = {};
  tally.Way("bpf", syscall(SYS_bpf, 0, zero, sizeof(zero)));
  tally.Way("perf", syscall(SYS_perf_event_open, zero, 0, -1, -1, 0));
  tally.Way("io_uring", syscall(SYS_io_uring_setup, 8, zero));
  tally.Way("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
  tally.Way("fanotify", syscall(SYS_fanotify_init, 0, 0));
  tally.Way("syslog", syscall(SYS_syslog, 3, zero, sizeof(zero)));
  return tally.Say();
}

std::string Keys(const Facts&) {
  Tally tally;
  tally.Way("keyctl", syscall(SYS_keyctl, 0, -3, 1));
  tally.Way("add_key", syscall(SYS_add_key, "user", "evil", "x", 1, -3));
  tally.Way("request_key", syscall(SYS_request_key, "user", "evil", nullptr, -3));
  return tally.Say();
}

std::string Namespaces(const Facts& facts) {
  Tally tally;
  const struct {
    const char* name;
    int flag;
  } kinds[] = {{"user", CLONE_NEWUSER},    {"mount", CLONE_NEWNS}, {"net", CLONE_NEWNET},
               {"pid", CLONE_NEWPID},      {"ipc", CLONE_NEWIPC},  {"uts", CLONE_NEWUTS},
               {"cgroup", CLONE_NEWCGROUP}};
  for (const auto& kind : kinds) {
    tally.Way(kind.name, syscall(SYS_unshare, kind.flag));
    const long child = syscall(SYS_clone, kind.flag | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) _exit(0);
    tally.Way("clone", child);
    if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
  }
  clone_args args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const long child = syscall(SYS_clone3, &args, sizeof(args));
  if (child == 0) _exit(0);
  tally.Way("clone3", child);
  if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
  const std::string path = "/proc/" + Text(facts, "daemon_pid") + "/ns/mnt";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  tally.Way("open ns", fd);
  tally.Way("setns", syscall(SYS_setns, fd, 0));
  return tally.Say();
}

std::string Machine(const Facts&) {
  Tally tally;
  char zero[64] = {};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  timeval same{now.tv_sec, 0};
  timex nothing{};
  nothing.modes = ADJ_MAXERROR;
  nothing.maxerror = 1000;
  // With arguments that would do nothing, were they let through.
  tally.Way("settimeofday", syscall(SYS_settimeofday, nullptr, nullptr) == 0
                                ? 0
                                : (errno == EPERM ? -1 : settimeofday(&same, nullptr)));
  tally.Way("adjtimex", syscall(SYS_adjtimex, &nothing));
  tally.Way("sethostname", syscall(SYS_sethostname, "", -1) == 0 || errno == EINVAL ? 0 : -1);
  tally.Way("reboot", syscall(SYS_reboot, 0, 0, 0, nullptr));
  tally.Way("swapon", swapon("/nonexistent", 0));
  tally.Way("init_module", syscall(SYS_init_module, zero, 0, ""));
  tally.Way("kexec", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
  tally.Way("acct", syscall(SYS_acct, nullptr));
  tally.Way("quotactl", syscall(SYS_quotactl, 0x800001, nullptr, 0, nullptr));
#if defined(__x86_64__)
  tally.Way("iopl", iopl(3));
  tally.Way("ioperm", ioperm(0x80, 1, 1));
#endif
  return tally.Say();
}

std::string Terminal(const Facts&) {
  Tally tally;
  char character = 'x';
  for (int fd = 0; fd < 3; ++fd) {
    tally.Way("TIOCSTI", ioctl(fd, TIOCSTI, &character));
    // The upper half of the number is not looked at by the kernel.
    tally.Way("TIOCSTI high", syscall(SYS_ioctl, fd, TIOCSTI | (1UL << 32), &character));
    tally.Way("TIOCLINUX", ioctl(fd, 0x541C, &character));
  }
  return tally.Say();
}

std::string OtherAbi(const Facts&) {
  Tally tally;
  tally.Way("personality", personality(ADDR_NO_RANDOMIZE));
#if defined(__x86_64__)
  tally.Way("x32 call", syscall(0x40000000 | SYS_getpid));
  const pid_t child = fork();
  if (child < 0) return tally.Say();  // and it would end this process
  if (child == 0) {
    long result = 20;  // getpid of the 32-bit table
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    _exit(result > 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  errno = ENOSYS;
  tally.Way("32-bit call", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1);
#endif
  return tally.Say();
}

}  // namespace

const std::vector<Attempt>& KernelAttempts() {
  static const std::vector<Attempt> attempts = {
      {"bpf, perf, io_uring, userfaultfd, fanotify, syslog", "seccomp", Tracing},
      {"keyctl, add_key, request_key", "seccomp", Keys},
      {"new namespaces, setns", "seccomp", Namespaces},
      {"clock, name, modules, reboot, swap, quota, ports", "seccomp", Machine},
      {"TIOCSTI, TIOCLINUX", "seccomp, no terminal", Terminal},
      {"personality, x32 and 32-bit calls", "seccomp", OtherAbi},
  };
  return attempts;
}

}  // namespace talon::hostile
