// SPDX-License-Identifier: Apache-2.0
// talon-launch itself on a kernel that lacks something: a filter of system calls plays the kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "launch/policy.h"
#include "tests/support/temp_folder.h"

namespace talon::launch {
namespace {

using testing::HasSubstr;
using testing::Not;

// A system call that fails with `error`: always, or when its argument has this value.
struct Lack {
  long call = -1;
  int error = 0;
  int argument = -1;
  std::uint32_t value = 0;
};

void PlayKernel(const Lack& lack) {
  const auto fails = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(lack.error);
  const bool any = lack.argument < 0;
  const std::size_t at = offsetof(seccomp_data, args) + (any ? 0 : 8UL * lack.argument);
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, static_cast<std::uint32_t>(lack.call)},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(at)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, static_cast<std::uint8_t>(any ? 0 : 1), lack.value},
      {BPF_RET | BPF_K, 0, 0, fails},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(99);
  }
}

struct Outcome {
  std::string said;
  int code = -1;
};

class LayersTest : public testing::Test {
 protected:
  LayersTest() {
    // To the launcher it is a group like any other.
    std::ofstream(folder_ / "tasks");
    std::ofstream(folder_ / "cgroup.procs");
  }

  int PolicyFile(bool require, bool cgroup) const {
    const std::string text = PolicyText(require, cgroup);
    const int file = memfd_create("policy", 0);
    EXPECT_EQ(write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return file;
  }

  std::string PolicyText(bool require, bool cgroup, bool namespaces = true) const {
    std::string text = std::string(kFirstRecord) + '\0';
    const auto add = [&](const std::string& record) { text += record + '\0'; };
    add("parent=" + std::to_string(getpid()));
    add("program=" TALON_LAUNCH);
    add("directory=" + (folder_ / ""));
    add("scratch=" + (folder_ / ""));
    add("grant=w:" + (folder_ / ""));
    add("grant=x:/usr");
    add("probe=1");
    add(std::string("require=") + (require ? "1" : "0"));
    add(std::string("namespaces=") + (namespaces ? "1" : "0"));
    if (cgroup) add("cgroup=" + (folder_ / ""));
    add(kLastRecord);
    return text;
  }

  // Started before there is a policy; told that it is there, unless it is empty.
  Outcome RunEarly(const std::string& text) const {
    const int policy = memfd_create("policy", 0);
    int ends[2];
    int ready[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      const int high[] = {fcntl(policy, F_DUPFD_CLOEXEC, 100), fcntl(ends[1], F_DUPFD_CLOEXEC, 100),
                          fcntl(ready[0], F_DUPFD_CLOEXEC, 100)};
      const int places[] = {kPolicyFd, kStatusFd, kReadyFd};
      for (int fd = 3; fd < 100; ++fd) close(fd);
      for (int i = 0; i < 3; ++i) dup2(high[i], places[i]);
      execl(TALON_LAUNCH, TALON_LAUNCH, kEarly, nullptr);
      _exit(98);
    }
    close(ends[1]);
    EXPECT_EQ(write(policy, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    if (!text.empty()) EXPECT_EQ(write(ready[1], "", 1), 1);
    close(ready[1]);
    close(ready[0]);
    close(policy);
    return End(child, ends[0]);
  }

  static Outcome End(pid_t child, int said) {
    Outcome outcome;
    char bytes[512];
    for (ssize_t size = 0; (size = read(said, bytes, sizeof(bytes))) > 0;) {
      outcome.said.append(bytes, static_cast<std::size_t>(size));
    }
    close(said);
    int status = 0;
    waitpid(child, &status, 0);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }

  Outcome Run(const Lack& lack, bool require, bool cgroup = true) const {
    const int policy = PolicyFile(require, cgroup);
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      const int high[] = {fcntl(policy, F_DUPFD, 100), fcntl(ends[1], F_DUPFD, 100)};
      close(ends[0]);
      dup2(high[0], kPolicyFd);
      dup2(high[1], kStatusFd);
      close(high[0]);
      close(high[1]);
      PlayKernel(lack);
      execl(TALON_LAUNCH, TALON_LAUNCH, nullptr);
      _exit(98);
    }
    close(ends[1]);
    close(policy);
    return End(child, ends[0]);
  }

  test::TempFolder folder_;
};

TEST_F(LayersTest, AMissingLayerIsToldAndRefusedWhenRequired) {
  constexpr std::uint32_t kOfProc = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
  const struct {
    const char* layer;
    Lack lack;
  } kCases[] = {{"namespaces", {SYS_unshare, EPERM}},
                {"view", {SYS_open_tree, ENOSYS}},
                {"proc", {SYS_mount, EPERM, 3, kOfProc}},
                {"files", {SYS_landlock_create_ruleset, EOPNOTSUPP}},
                {"calls", {SYS_prctl, EINVAL, 0, PR_SET_SECCOMP}}};
  const Outcome whole = Run({}, true);
  if (whole.said.find("fatal namespaces") != std::string::npos) {
    GTEST_SKIP() << "this machine lets nobody make namespaces: " << whole.said;
  }
  EXPECT_EQ(whole.code, 0) << whole.said;
  EXPECT_THAT(whole.said, Not(HasSubstr("unavailable")));
  for (const auto& [layer, lack] : kCases) {
    const std::string name = layer;
    const Outcome refused = Run(lack, true);
    EXPECT_THAT(refused.said, HasSubstr("\nfatal " + name + " ")) << name;
    EXPECT_EQ(refused.code, 126) << name;
    const Outcome without = Run(lack, false);
    EXPECT_THAT(without.said, HasSubstr("\n" + name + " unavailable "));
    EXPECT_THAT(without.said, Not(HasSubstr("fatal")));
    EXPECT_EQ(without.code, 0) << name;
  }
}

TEST_F(LayersTest, AControlGroupIsMissedWhoeverTheDaemonIs) {
  const Outcome refused = Run({}, true, /*cgroup=*/false);
  EXPECT_THAT(refused.said, HasSubstr("fatal cgroup "));
  EXPECT_EQ(refused.code, 126);
  EXPECT_THAT(Run({}, false, /*cgroup=*/false).said, HasSubstr("cgroup unavailable "));
}

TEST_F(LayersTest, PrivilegesThatStayAreFatalAlways) {
  const Outcome refused = Run({SYS_capset, EPERM}, false);
  EXPECT_THAT(refused.said, HasSubstr("fatal user "));
  EXPECT_EQ(refused.code, 126);
}

TEST_F(LayersTest, StartedEarlyItGetsTheSameLayers) {
  const Outcome at_once = Run({}, false);
  const Outcome early = RunEarly(PolicyText(false, /*cgroup=*/true));
  EXPECT_EQ(early.code, at_once.code) << early.said;
  const auto layers = [](const std::string& said) {
    std::set<std::string> lines;
    std::istringstream text(said);
    for (std::string line; std::getline(text, line);) {
      if (!line.starts_with("pid ")) lines.insert(line);
    }
    return lines;
  };
  EXPECT_EQ(layers(early.said), layers(at_once.said));
  EXPECT_THAT(early.said, HasSubstr("\ncalls "));
}

TEST_F(LayersTest, WithoutItsPolicyItEnds) {
  const Outcome nothing = RunEarly("");
  EXPECT_EQ(nothing.code, 127);
  EXPECT_EQ(nothing.said, "");
  const Outcome refused = RunEarly(PolicyText(false, true, /*namespaces=*/false));
  EXPECT_EQ(refused.code, 125);
  EXPECT_EQ(refused.said, "fatal policy 22\n");
}

}  // namespace
}  // namespace talon::launch
