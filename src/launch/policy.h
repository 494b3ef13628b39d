// SPDX-License-Identifier: Apache-2.0
// What plugin/ tells talon-launch and what it answers: the words of both sides, and the reader.
//
// The policy is a sealed file on descriptor 3: records of "key=value" that each end with a zero
// byte, in any order, between "talon-launch 1" and "end". A key that is not known, a value that
// does not parse, a record twice that may stand once, or a missing end refuse the whole policy.
//
//   parent   process that must be our parent        program   path, or argv[0] when program_fd
//   program_fd 1: descriptor 5 is the program       arg, env  any number, in order
//   directory  working directory                    profile   default | strict
//   require  1: a missing layer is fatal            network   none | outbound
//   uid, gid   become them                          cgroup    folder of a group to join
//   limit    <name> <number>                        namespaces 0: do not try
//   shared   0: no memory that several processes share and nothing counts
//   forks    0: threads, but no processes
//   grant    <mode>:<path>; mode r (read), x (read, execute), w (all), d (device), s (device to
//            read from); c covers what a grant around it would show, but for grants in it
//   link     symbolic link of the system to keep    tmp       <bytes>:<path>, a private file system
//   scratch  folder to build the view in            probe     1: apply all, then exit 0
//
// Started with the argument "early" it enters its namespaces at once and reads the policy when a
// byte has come on descriptor 6; when that ends without one, so does it. With "late" it waits
// likewise, and enters what the policy says.
//
// The answer is lines on descriptor 4, closed by the successful exec:
//   <layer> ok|unavailable|failed <errno> <detail>     pid <number>     fatal <layer> <errno>
//
// Without a policy, `talon-launch --bound PARENT PROGRAM ARGV...` becomes the program as it is, to
// be killed when its parent, the daemon, has died. PROGRAM "-" is descriptor 5.
#pragma once

#include <cstddef>
#include <cstdint>

namespace talon::launch {

inline constexpr char kFirstRecord[] = "talon-launch 1";
inline constexpr char kLastRecord[] = "end";
inline constexpr char kBound[] = "--bound";
inline constexpr int kPolicyFd = 3;
inline constexpr int kStatusFd = 4;
inline constexpr int kProgramFd = 5;
inline constexpr int kReadyFd = 6;
inline constexpr char kEarly[] = "early";
inline constexpr char kLate[] = "late";
inline constexpr std::size_t kMaxPolicy = 4u << 20;
inline constexpr std::size_t kMaxStatus = 16u << 10;
inline constexpr std::size_t kMaxList = 1024;  // of each kind of record that may stand often

// Details of layer "limits" without a control group.
inline constexpr int kThreadsOnly = 1;  // one process: what bounds it bounds all
inline constexpr int kUncounted = 2;    // the memory of all processes together is not bounded

struct Grant {
  char mode = 0;
  const char* path = nullptr;
};

struct Limit {
  int resource = 0;  // RLIMIT_*
  std::uint64_t value = 0;
};

struct Tmp {
  std::uint64_t bytes = 0;
  const char* path = nullptr;
};

template <class T>
struct List {
  T items[kMaxList];
  std::size_t size = 0;
  bool Add(T item) {
    if (size == kMaxList) return false;
    items[size++] = item;
    return true;
  }
  const T* begin() const { return items; }
  const T* end() const { return items + size; }
};

// Its texts point into the buffer it was read from.
struct Policy {
  const char* program = nullptr;
  const char* directory = nullptr;
  const char* scratch = nullptr;
  List<char*> args, env;  // null-terminated by ReadPolicy
  List<const char*> cgroups, links;
  List<Grant> grants;
  List<Limit> limits;
  List<Tmp> tmps;
  std::uint64_t parent = 0, uid = 0, gid = 0;
  bool program_fd = false, own_uid = false, strict = false, require = false, outbound = false;
  bool namespaces = true, probe = false, shared = true, forks = true;
};

// `buffer` must stay. False when the policy is not one.
bool ReadPolicy(char* buffer, std::size_t size, Policy& out);

}  // namespace talon::launch
