// SPDX-License-Identifier: Apache-2.0
// How many descriptors may be open (RLIMIT_NOFILE). Connections need many; programs we start get
// what we were started with: some use select(), some close every number up to the limit. Loop's
// thread.
#pragma once

#include <sys/resource.h>

namespace talon::io {

class Loop;

// Raises the soft limit to the hard one, or to kMostDescriptors if that is less. Children that are
// started on `loop` get the former one. Once, at start.
void RaiseDescriptorLimit(Loop& loop);
inline constexpr rlim_t kMostDescriptors = 65'536;  // 16 times the default of max_connections

// How many connections of strangers may be open so that the daemon's own work (database, plugins,
// outbound connections) finds descriptors: the soft limit without kOwnDescriptors, or its half.
rlim_t DescriptorsForConnections();
inline constexpr rlim_t kOwnDescriptors = 256;

// While it lives, the process has the limit that a child is to inherit. Other threads cannot go
// beyond it so long, so keep it for the instant of the start.
class ChildDescriptorLimit {
 public:
  explicit ChildDescriptorLimit(const Loop& loop);
  ~ChildDescriptorLimit();
  ChildDescriptorLimit(const ChildDescriptorLimit&) = delete;
  ChildDescriptorLimit& operator=(const ChildDescriptorLimit&) = delete;

 private:
  rlimit ours_{};
  bool changed_ = false;
};

}  // namespace talon::io
