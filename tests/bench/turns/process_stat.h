// SPDX-License-Identifier: Apache-2.0
// CPU time and memory of processes, from /proc.
#pragma once

#include <sys/types.h>

namespace talon::bench {

double OwnCpuSeconds();

// All threads, user and system; 0 when there is no such process.
double CpuSecondsOf(pid_t pid);
long RssKilobytesOf(pid_t pid);

}  // namespace talon::bench
