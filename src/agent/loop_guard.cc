// SPDX-License-Identifier: Apache-2.0
#include "agent/loop_guard.h"

#include <functional>

namespace talon::agent {
namespace {

constexpr std::size_t kWindow = 15;
constexpr int kWarnAt = 2;
constexpr int kTerminateAt = 9;

std::size_t HashOf(std::string_view a, std::string_view b) {
  const std::size_t first = std::hash<std::string_view>()(a);
  return first ^ (std::hash<std::string_view>()(b) + 0x9e3779b97f4a7c15ull + (first << 6));
}

}  // namespace

int LoopGuard::Repeats(std::string_view tool, std::string_view arguments) const {
  const std::size_t call = HashOf(tool, arguments);
  int same = 0;
  bool found = false;
  std::size_t result = 0;
  for (auto seen = window_.rbegin(); seen != window_.rend(); ++seen) {
    if (seen->call != call) continue;
    if (!found) result = seen->result;
    found = true;
    if (seen->result == result) ++same;
  }
  return same;
}

void LoopGuard::Push(Seen seen) {
  window_.push_back(seen);
  if (window_.size() > kWindow) window_.pop_front();
  int calls = 0;
  for (const Seen& other : window_) calls += other.call == seen.call ? 1 : 0;
  if (calls >= kTerminateAt) terminate_ = true;
}

bool LoopGuard::Record(std::string_view tool, std::string_view arguments, std::string_view result,
                       bool is_error) {
  const Seen seen{HashOf(tool, arguments), std::hash<std::string_view>()(result)};
  int same = 1;
  for (const Seen& other : window_) {
    same += other.call == seen.call && other.result == seen.result ? 1 : 0;
  }
  if (same == 1 && !is_error) progress_ = true;
  Push(seen);
  return same >= kWarnAt;
}

void LoopGuard::RecordBlocked(std::string_view tool, std::string_view arguments) {
  const std::size_t call = HashOf(tool, arguments);
  std::size_t result = 0;
  for (const Seen& other : window_) {
    if (other.call == call) result = other.result;
  }
  Push({call, result});
}

void LoopGuard::EndRound() {
  idle_rounds_ = progress_ ? 0 : idle_rounds_ + 1;
  progress_ = false;
}

}  // namespace talon::agent
