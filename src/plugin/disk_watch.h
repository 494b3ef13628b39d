// SPDX-License-Identifier: Apache-2.0
// Tells when something below watched folders is written: an event of the kernel, no look now and
// then. CheckDisk() sets what is watched. Loop's thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "io/task.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

class DiskWatch {
 public:
  virtual ~DiskWatch() = default;
  virtual int descriptor() const = 0;
  // Ends at the next change, or with false when cancelled. One waiter.
  virtual io::Task<bool> Written(CancelToken cancel) = 0;
};

absl::StatusOr<std::unique_ptr<DiskWatch>> MakeDiskWatch(io::Loop& loop);

}  // namespace talon::plugin
