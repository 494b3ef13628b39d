// SPDX-License-Identifier: Apache-2.0
// Looks at the disks again and again and warns when one is nearly full: once when it fills, again
// when it still is a day later. While a disk is full it looks more often.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "talon/sdk/plugin.h"
#include "talon/sdk/schedule.h"

namespace talon::examples {

class ScheduleDiskWatch : public sdk::Plugin, public sdk::ScheduledTasks {
 public:
  ScheduleDiskWatch();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;

 private:
  absl::StatusOr<sdk::TaskReport> Look(const sdk::TaskRun& run);

  std::vector<std::string> paths_;
  long full_percent_ = 90;
  std::string memory_file_;  // when each disk was warned of: this process need not live that long
};

}  // namespace talon::examples
