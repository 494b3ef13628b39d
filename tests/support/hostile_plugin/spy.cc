// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cctype>

#include "attempts.h"

namespace talon::hostile {
namespace {

// The processes it is told of, and all that it sees besides its own.
std::vector<long> Victims(const Facts& facts) {
  std::vector<long> victims = {Number(facts, "daemon_pid"), Number(facts, "other_pid")};
  if (DIR* proc = opendir("/proc")) {
    while (const dirent* entry = readdir(proc)) {
      const long pid = std::atol(entry->d_name);
      if (pid > 1 && pid != getpid()) victims.push_back(pid);
    }
    closedir(proc);
  }
  return victims;
}

std::string ReadProc(const Facts& facts, const char* file) {
  Tally tally;
  for (const long pid : Victims(facts)) {
    const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    char text[4096];
    const long size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (size > 0) tally.Got(path);
    if (size < 0) tally.Refused(file, errno);
    if (fd >= 0) close(fd);
  }
  return tally.Say();
}

std::string Environ(const Facts& facts) {
  return ReadProc(facts, "environ");
}
std::string Maps(const Facts& facts) {
  return ReadProc(facts, "maps");
}
std::string CommandLine(const Facts& facts) {
  return ReadProc(facts, "cmdline");
}

std::string Mem(const Facts& facts) {
  Tally tally;
  for (const long pid : Victims(facts)) {
    const std::string path = "/proc/" + std::to_string(pid) + "/mem";
    for (const int mode : {O_RDONLY, O_RDWR}) {
      const int fd = open(path.c_str(), mode | O_CLOEXEC);
      tally.Way("mem", fd);
      if (fd >= 0) close(fd);
    }
  }
  return tally.Say();
}

std::string VmRead(const Facts& facts) {
  Tally tally;
  char buffer[16];
  iovec local{buffer, sizeof(buffer)};
  iovec remote{reinterpret_cast<void*>(0x400000), sizeof(buffer)};
  for (const long pid : Victims(facts)) {
    const auto process = static_cast<pid_t>(pid);
    tally.Way("readv", process_vm_readv(process, &local, 1, &remote, 1, 0));
    tally.Way("writev", process_vm_writev(process, &local, 1, &remote, 1, 0));
  }
  return tally.Say();
}

std::string Trace(const Facts& facts) {
  Tally tally;
  for (const long pid : Victims(facts)) {
    const auto process = static_cast<pid_t>(pid);
    tally.Way("attach", ptrace(PTRACE_ATTACH, process, nullptr, nullptr));
    tally.Way("seize", ptrace(PTRACE_SEIZE, process, nullptr, nullptr));
  }
  return tally.Say();
}

std::string TakeDescriptor(const Facts& facts) {
  Tally tally;
  for (const long pid : Victims(facts)) {
    const long pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
      tally.Refused("pidfd", errno);
      continue;
    }
    tally.Way("getfd", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
    close(static_cast<int>(pidfd));
  }
  const std::string folder = "/proc/" + Text(facts, "daemon_pid") + "/fd/0";
  tally.Way("fd link", open(folder.c_str(), O_RDONLY | O_CLOEXEC));
  tally.Way("kcmp", syscall(SYS_kcmp, getpid(), Number(facts, "daemon_pid"), KCMP_FILES, 0, 0));
  return tally.Say();
}

std::string Signal(const Facts& facts) {
  Tally tally;
  for (const char* name : {"daemon_pid", "other_pid"}) {
    const auto pid = static_cast<pid_t>(Number(facts, name));
    tally.Way("probe", kill(pid, 0));
    tally.Way("kill", kill(pid, SIGKILL));
    tally.Way("group", kill(-pid, SIGKILL));
    tally.Way("tgkill", syscall(SYS_tgkill, pid, pid, SIGKILL));
    tally.Way("queue", sigqueue(pid, SIGTERM, {}));
    const long pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
      tally.Refused("pidfd", errno);
    } else {
      tally.Way("pidfd kill", syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0));
    }
  }
  // kill(-1) reaches all it may: that there are none it may is seen from outside.
  signal(SIGUSR1, SIG_IGN);
  kill(-1, SIGUSR1);
  return tally.Say();
}

std::string Meddle(const Facts& facts) {
  Tally tally;
  const auto pid = static_cast<pid_t>(Number(facts, "daemon_pid"));
  const rlimit small{1, 1};
  rlimit old{};
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  tally.Way("prlimit", prlimit(pid, RLIMIT_NOFILE, &small, &old));
  tally.Way("renice", setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 19));
  tally.Way("affinity", sched_setaffinity(pid, sizeof(one), &one));
  tally.Way("group", setpgid(pid, getpgrp()));
  return tally.Say();
}

}  // namespace

const std::vector<Attempt>& SpyAttempts() {
  static const std::vector<Attempt> attempts = {
      {"read /proc/PID/environ", "pid ns, Landlock", Environ},
      {"read /proc/PID/maps", "pid ns, Landlock", Maps},
      {"read /proc/PID/cmdline", "pid ns", CommandLine},
      {"open /proc/PID/mem", "pid ns, Landlock", Mem},
      {"process_vm_readv, writev", "seccomp", VmRead},
      {"ptrace attach, seize", "seccomp", Trace},
      {"take descriptors (pidfd_getfd, /proc/PID/fd)", "seccomp, pid ns", TakeDescriptor},
      {"signal the daemon and other plugins", "pid ns, Landlock", Signal},
      {"limits, priority, group of the daemon", "pid ns", Meddle},
  };
  return attempts;
}

}  // namespace talon::hostile
