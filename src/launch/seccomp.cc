// SPDX-License-Identifier: Apache-2.0
// A filter in classic BPF. A call that is denied fails with EPERM, so that a program that merely
// tries goes on; what is newer than this list fails with ENOSYS in the strict profile.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

#include <cstddef>
#include <initializer_list>
#include <span>

#include "launch/call_lists.h"
#include "launch/layers.h"

namespace talon::launch {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
#error "talon-launch: the seccomp filter does not know this machine"
#endif

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint32_t kSocketType = 0xf;  // the rest are flags
constexpr std::uint32_t kTiocLinux = 0x541C;
constexpr std::uint32_t kDefaultPersonality = 0, kAskPersonality = 0xffffffff;

constexpr std::uint32_t Errno(int number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number);
}

constexpr std::uint32_t Argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + 8 * index;  // its low half
}

class Program {
 public:
  void Load(std::uint32_t offset) { Add({BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}); }
  void Return(std::uint32_t action) { Add({BPF_RET | BPF_K, 0, 0, action}); }
  void ReturnIf(std::uint32_t value, std::uint32_t action) {
    Add({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value});
    Return(action);
  }
  void ReturnIfBits(std::uint32_t bits, std::uint32_t action) {
    Add({BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits});
    Return(action);
  }
  void ReturnIfAllBits(std::uint32_t bits, std::uint32_t action) {
    And(bits);
    ReturnIf(bits, action);
  }
  void ReturnUnless(std::uint32_t value, std::uint32_t action) {
    Add({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value});
    Return(action);
  }
  void And(std::uint32_t bits) { Add({BPF_ALU | BPF_AND | BPF_K, 0, 0, bits}); }
  // What is added until EndIf() is for this loaded value only and must end in a Return().
  std::size_t If(std::uint32_t value) {
    Add({BPF_JMP | BPF_JEQ | BPF_K, 0, 0, value});
    return size_ - 1;
  }
  void EndIf(std::size_t at) { code_[at].jf = static_cast<std::uint8_t>(size_ - at - 1); }
  // What is added until End() is for call `number` only and must end in a Return(), or have loaded
  // the number again.
  void Begin(long number) { begin_ = If(static_cast<std::uint32_t>(number)); }
  // Call `number` is denied unless this argument is one of `values`.
  void OnlyFor(std::initializer_list<std::uint32_t> values, unsigned argument, long number) {
    Begin(number);
    Load(Argument(argument));
    for (const std::uint32_t value : values) ReturnIf(value, SECCOMP_RET_ALLOW);
    Return(Errno(EPERM));
    End();
  }
  void End() { EndIf(begin_); }

  bool Install() {
    sock_fprog program{static_cast<unsigned short>(size_), code_};
    return !full_ && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  void Add(sock_filter instruction) {
    full_ = size_ == kMax;
    if (!full_) code_[size_++] = instruction;
  }

  static constexpr std::size_t kMax = 2048;
  sock_filter code_[kMax];
  std::size_t size_ = 0, begin_ = 0;
  bool full_ = false;
};

// What else runs as this user, where no namespaces keep it apart.
void Separate(Program& program, const Policy& policy) {
  const auto self = static_cast<std::uint32_t>(getpid());
  for (const long number : kOfOthers) {
    program.ReturnIf(static_cast<std::uint32_t>(number), Errno(EPERM));
  }
  for (const long number : kOfAProcess) program.OnlyFor({0, self}, 0, number);
  program.OnlyFor({0}, 1, SYS_setpriority);
  // Whoever has processes runs others' programs, which signal them and set modes of files.
  if (!policy.forks) {
    for (const auto& list : {std::span<const long>(kSignals), std::span<const long>(kAttributes)}) {
      for (const long number : list) {
        program.ReturnIf(static_cast<std::uint32_t>(number), Errno(EPERM));
      }
    }
    program.OnlyFor({0, self}, 0, SYS_kill);
    program.OnlyFor({self}, 0, SYS_tgkill);
  }
  if (policy.outbound) return;  // an address is in memory, where a filter cannot look
  program.ReturnIf(SYS_connect, Errno(EPERM));
  for (const long number : {SYS_socket, SYS_socketpair}) {
    program.Begin(number);
    program.Load(Argument(1));
    program.And(kSocketType);
    // Such a socket sends to whom each message names. Of a raw Unix socket the kernel makes one.
    program.ReturnIf(SOCK_DGRAM, Errno(EPERM));
    program.ReturnIf(SOCK_RAW, Errno(EPERM));
    program.Load(offsetof(seccomp_data, nr));
    program.End();
  }
}

constexpr std::uint32_t kInternetProtocols[] = {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP,
                                                IPPROTO_ICMPV6};

void CheckSocket(Program& program, bool outbound) {
  program.Begin(SYS_socket);
  program.Load(Argument(0));
  program.ReturnIf(AF_UNIX, SECCOMP_RET_ALLOW);
  if (outbound) {
    // Name resolution asks the routing socket.
    const std::size_t netlink = program.If(AF_NETLINK);
    program.Load(Argument(2));
    program.ReturnIf(NETLINK_ROUTE, SECCOMP_RET_ALLOW);
    program.Return(Errno(EAFNOSUPPORT));
    program.EndIf(netlink);
    // Landlock keeps TCP from binding, not what is beside it: MPTCP, SCTP.
    for (const std::uint32_t family : {AF_INET, AF_INET6}) {
      const std::size_t internet = program.If(family);
      program.Load(Argument(2));
      for (const std::uint32_t protocol : kInternetProtocols) {
        program.ReturnIf(protocol, SECCOMP_RET_ALLOW);
      }
      program.Return(Errno(EPROTONOSUPPORT));
      program.EndIf(internet);
    }
  }
  program.Return(Errno(EAFNOSUPPORT));
  program.End();
}

// What no limit of a process bounds. A file in the private /dev/shm is bounded by its size.
void CheckSharedMemory(Program& program) {
  for (const long number : kUncountedMemory) {
    program.ReturnIf(static_cast<std::uint32_t>(number), Errno(EPERM));
  }
  program.Begin(SYS_mmap);
  program.Load(Argument(3));
  program.ReturnIfAllBits(MAP_SHARED | MAP_ANONYMOUS, Errno(EPERM));
  program.Return(SECCOMP_RET_ALLOW);
  program.End();
}

void CheckClone(Program& program, bool forks) {
#if defined(__x86_64__)
  if (!forks) {
    program.ReturnIf(SYS_fork, Errno(EPERM));
    program.ReturnIf(SYS_vfork, Errno(EPERM));
  }
#endif
  program.Begin(SYS_clone);
  program.Load(Argument(0));
  program.ReturnIfBits(kNewNamespaces, Errno(EPERM));
  if (!forks) program.ReturnIfBits(CLONE_THREAD, SECCOMP_RET_ALLOW);
  program.Return(forks ? SECCOMP_RET_ALLOW : Errno(EPERM));
  program.End();
}

void CheckArguments(Program& program) {
  program.Begin(SYS_ioctl);
  program.Load(Argument(1));
  program.ReturnIf(TIOCSTI, Errno(EPERM));
  program.ReturnIf(kTiocLinux, Errno(EPERM));
  program.Return(SECCOMP_RET_ALLOW);
  program.End();
  program.Begin(SYS_personality);
  program.Load(Argument(0));
  program.ReturnIf(kDefaultPersonality, SECCOMP_RET_ALLOW);
  program.ReturnIf(kAskPersonality, SECCOMP_RET_ALLOW);
  program.Return(Errno(EPERM));
  program.End();
}

}  // namespace

Outcome FilterCalls(const Policy& policy, bool own_view) {
  static Program program;
  program.Load(offsetof(seccomp_data, arch));
  program.ReturnUnless(kArch, SECCOMP_RET_KILL_PROCESS);
  program.Load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  program.ReturnIfBits(kX32Bit, Errno(ENOSYS));
#endif
  // Its flags are in memory, where a filter cannot look; libraries fall back to clone.
  program.ReturnIf(SYS_clone3, Errno(ENOSYS));
  for (const long number : kDenied) {
    program.ReturnIf(static_cast<std::uint32_t>(number), Errno(EPERM));
  }
  if (!own_view) Separate(program, policy);
  CheckSocket(program, policy.outbound);
  CheckArguments(program);
  CheckClone(program, policy.forks);
  if (!policy.shared) CheckSharedMemory(program);
  if (policy.strict) {
    for (const long number : kStrictAllowed) {
      program.ReturnIf(static_cast<std::uint32_t>(number), SECCOMP_RET_ALLOW);
    }
    program.Return(Errno(ENOSYS));
  } else {
    program.Return(SECCOMP_RET_ALLOW);
  }
  if (program.Install()) return Done();
  return errno == EINVAL || errno == ENOSYS ? Unavailable() : Failed();
}

}  // namespace talon::launch
