// SPDX-License-Identifier: Apache-2.0
// A process between the plugin and one command. What the command leaves behind falls to it, not to
// init, whatever session it made for itself; so when the command ends, or the keeper is told to end
// (SIGTERM, or the death of the thread that started it), it kills all of that until nothing is
// left. It ends as the command did: with its exit code, or by its signal. Any thread.
#pragma once

#include <sys/types.h>

namespace talon::plugins {

// Borrowed for the call. Descriptors are at their places in the command and closed in the keeper.
struct KeeperPlan {
  const char* const* argv;
  char* const* envp;
  int in, out, err, folder;
};

// The keeper's pid, a child of ours; -1 with errno.
pid_t StartKeeper(const KeeperPlan& plan);

}  // namespace talon::plugins
