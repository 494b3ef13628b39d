// SPDX-License-Identifier: Apache-2.0
#include "shell/output_buffer.h"

#include <fmt/format.h>

#include <algorithm>

#include "talon/sdk/text.h"

namespace talon::plugins {

void OutputBuffer::Append(std::string_view data) {
  total_ += data.size();
  const std::size_t to_head = std::min(data.size(), half_ - head_.size());
  head_ += data.substr(0, to_head);
  data.remove_prefix(to_head);
  if (data.size() > half_) data.remove_prefix(data.size() - half_);
  tail_ += data;
  if (tail_.size() > 2 * half_) tail_.erase(0, tail_.size() - half_);
}

std::string OutputBuffer::Text() const {
  std::string_view tail = tail_;
  if (head_.size() + tail.size() == total_ && tail.size() <= half_) return head_ + tail_;
  if (tail.size() > half_) tail.remove_prefix(tail.size() - half_);
  // Whole lines read better than halves of them, and a character is never split.
  const std::size_t newline = tail.find('\n');
  if (newline < tail.size() / 2) tail.remove_prefix(newline + 1);
  while (!tail.empty() && (static_cast<unsigned char>(tail[0]) & 0xC0) == 0x80) {
    tail.remove_prefix(1);
  }
  std::string_view head = head_;
  const std::size_t last = head.rfind('\n');
  if (last != std::string_view::npos && last > head.size() / 2) {
    head = head.substr(0, last + 1);
  } else if (!head.empty()) {
    head = sdk::TruncateUtf8(head_, head_.size() - 1);
  }
  return fmt::format("{}\n[… {} bytes left out …]\n{}", head, total_ - head.size() - tail.size(),
                     tail);
}

}  // namespace talon::plugins
