// SPDX-License-Identifier: Apache-2.0
// File changes by inotify. The folder is watched, so that editors that replace files are seen.
// Where the file is a symbolic link, so is the folder of its target, link by link, anew after each
// change. Bursts are folded: `on_change` runs once, 200 ms after the last of them. Loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace talon::io {

class Loop;

class FileWatch {
 public:
  virtual ~FileWatch() = default;
};

// `file_name` empty: any entry of the folder.
absl::StatusOr<std::unique_ptr<FileWatch>> WatchFile(
    Loop& loop, const std::string& folder, const std::string& file_name,
    std::function<void()> on_change,
    std::chrono::milliseconds debounce = std::chrono::milliseconds(200));

}  // namespace talon::io
