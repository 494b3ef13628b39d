// SPDX-License-Identifier: Apache-2.0
#include "io/descriptor_limit.h"

#include <algorithm>

#include "io/loop.h"

namespace talon::io {

void RaiseDescriptorLimit(Loop& loop) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t former = limit.rlim_cur;
  limit.rlim_cur = std::min(limit.rlim_max, kMostDescriptors);
  if (limit.rlim_cur <= former || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  loop.SetChildDescriptors(former);
}

rlim_t DescriptorsForConnections() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return RLIM_INFINITY;
  }
  return limit.rlim_cur - std::min(kOwnDescriptors, limit.rlim_cur / 2);
}

ChildDescriptorLimit::ChildDescriptorLimit(const Loop& loop) {
  if (loop.child_descriptors() == 0 || ::getrlimit(RLIMIT_NOFILE, &ours_) != 0) return;
  rlimit theirs = ours_;
  theirs.rlim_cur = loop.child_descriptors();
  changed_ = ::setrlimit(RLIMIT_NOFILE, &theirs) == 0;
}

ChildDescriptorLimit::~ChildDescriptorLimit() {
  if (changed_) ::setrlimit(RLIMIT_NOFILE, &ours_);
}

}  // namespace talon::io
