// SPDX-License-Identifier: Apache-2.0
// The tools of a plugin, which may be replaced while calls run, and a way to wait for that.
// Thread-safe. Internal to the SDK.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "talon/sdk/plugin.h"

namespace talon::sdk {

class ToolList {
 public:
  using Tools = std::shared_ptr<const std::vector<Tool>>;

  Tools Get() const {
    const std::lock_guard lock(mutex_);
    return tools_;
  }
  void Set(std::vector<Tool> tools) {
    const std::lock_guard lock(mutex_);
    tools_ = std::make_shared<const std::vector<Tool>>(std::move(tools));
    ++version_;
    changed_.notify_all();
  }
  std::uint64_t version() const {
    const std::lock_guard lock(mutex_);
    return version_;
  }
  // Waits until the version is another than `known` or `enough` answers true, and answers it.
  std::uint64_t Wait(std::uint64_t known, const std::function<bool()>& enough) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return version_ != known || enough(); });
    return version_;
  }
  // Lets those who wait look again.
  void Wake() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Tools tools_ = std::make_shared<const std::vector<Tool>>();
  std::uint64_t version_ = 0;
};

}  // namespace talon::sdk
