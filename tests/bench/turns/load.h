// SPDX-License-Identifier: Apache-2.0
// The load: connections that ask one turn after the other, each waiting for its answer (a closed
// loop), on one thread with epoll.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace talon::bench {

struct LoadOptions {
  std::string url, token, model = "talon", message = "ping", expect, prefix = "bench";
  int sessions = 1;
  int turns = 100;      // measured, each session
  int warmup = 0;       // before, each session, not measured
  int connections = 0;  // 0: one a session; fewer take their sessions one after the other
  int timeout_s = 60;   // longest turn; then it is an error
  bool stream = false;
  std::vector<pid_t> watch;  // processes whose CPU time is told
};

struct LoadResult {
  std::vector<std::uint32_t> latencies_us;  // of good turns
  std::map<std::string, int> errors;        // by what went wrong
  double seconds = 0;
  double own_cpu_s = 0;
  struct Watched {
    pid_t pid;
    double cpu_s;
    long rss_kb;  // at the end
  };
  std::vector<Watched> watched;
};

// Throws std::runtime_error when the URL is unusable or nobody listens there.
LoadResult Run(const LoadOptions& options);

}  // namespace talon::bench
