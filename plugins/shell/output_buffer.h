// SPDX-License-Identifier: Apache-2.0
// Keeps the beginning and the end of a stream of any length in bounded memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace talon::plugins {

class OutputBuffer {
 public:
  // Half of `max_bytes` for each end.
  explicit OutputBuffer(std::size_t max_bytes) : half_(max_bytes / 2) {}

  void Append(std::string_view data);
  // Head and tail with a note between them of how much was left out.
  std::string Text() const;
  unsigned long long total_bytes() const { return total_; }

 private:
  const std::size_t half_;
  std::string head_;
  std::string tail_;  // at most twice half_; its last half_ bytes count
  unsigned long long total_ = 0;
};

}  // namespace talon::plugins
