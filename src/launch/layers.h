// SPDX-License-Identifier: Apache-2.0
// The layers talon-launch puts around a program, each in its file. They use system calls only.
#pragma once

#include "launch/policy.h"

namespace talon::launch {

struct Outcome {
  enum class Kind { kOk, kUnavailable, kFailed } kind = Kind::kOk;
  int error = 0;   // errno, when not ok
  int detail = 0;  // of the layer
};

inline Outcome Done(int detail = 0) {
  return {Outcome::Kind::kOk, 0, detail};
}
// The kernel has no such thing, or this process may not use it.
Outcome Unavailable();
// It should have worked: nothing runs then.
Outcome Failed();

// Moves this process and all it starts into the prepared control groups.
Outcome JoinCgroups(const Policy& policy);

// New process, IPC and mount namespaces; inside a user namespace when this process may not make
// them otherwise (detail 1).
Outcome EnterNamespaces();

// A network namespace without any network takes longer to make than all the others: this process
// makes it while its two children prepare themselves, and hands it to them over the socket.
// `own` is OwnNamespaces() of before there were children: they change the root of all.
int OwnNamespaces();
bool MakeNetwork(int to, int own);
// In a child: waits for it and enters it.
bool JoinNetwork(int from);

// The file system of the program: a root of its own with what is granted, at its own path, and
// nothing else. Needs a process inside the namespaces. `proc`: whether it has a /proc, which shows
// its own processes; else /proc is empty.
Outcome BuildView(const Policy& policy, Outcome& proc);
// What BuildView() has shown of each grant, by its index: a descriptor, or -1.
int ShownGrant(std::size_t index);

// Resource limits. Each process has its own: their memory together is bounded by a control group
// or, without one, where there can be one process only. Details of the layer in policy.h.
// `count_processes`: those of the process's user are its own alone.
Outcome SetLimits(const Policy& policy, bool count_processes);

// Another user, no groups, no capabilities, now or by any later exec. Detail 1: own user.
Outcome DropPrivileges(const Policy& policy);

// Landlock: files as granted, no TCP beyond the network of the policy, no abstract sockets and no
// signals to others. `own_view`: BuildView() has worked; without, nothing of /proc, which shows
// whoever runs beside the plugin. Detail: the version of Landlock.
Outcome ConfineFiles(const Policy& policy, bool own_view);

// seccomp: the system calls nobody needs in a plugin. Without a view of its own also those that
// reach whoever else runs as this user: see Separate().
Outcome FilterCalls(const Policy& policy, bool own_view);

inline constexpr char kProc[] = "/proc";

}  // namespace talon::launch
