// SPDX-License-Identifier: Apache-2.0
#include "agent/loop_guard.h"

namespace talon::agent {
namespace {

constexpr std::size_t kWindow = 15;
constexpr int kWarnAt = 2;
constexpr int kTerminateAt = 9;

// FNV-1a: std::hash may differ between two builds, and these are stored.
std::uint64_t HashOf(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325ull) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

std::uint64_t HashOfCall(std::string_view tool, std::string_view arguments) {
  return HashOf(arguments, HashOf(tool) + 1);
}

}  // namespace

int LoopGuard::Repeats(std::string_view tool, std::string_view arguments) const {
  const std::uint64_t call = HashOfCall(tool, arguments);
  int same = 0;
  bool found = false;
  std::uint64_t result = 0;
  for (auto seen = window_.rbegin(); seen != window_.rend(); ++seen) {
    if (seen->call != call) continue;
    if (!found) result = seen->result;
    found = true;
    if (seen->result == result) ++same;
  }
  return same;
}

void LoopGuard::Refill(const Seen& seen) {
  progress_ |= seen.progress;
  Push(seen);
}

void LoopGuard::Push(const Seen& seen) {
  window_.push_back(seen);
  if (window_.size() > kWindow) window_.pop_front();
  int calls = 0;
  for (const Seen& other : window_) calls += other.call == seen.call ? 1 : 0;
  if (calls >= kTerminateAt) terminate_ = true;
}

bool LoopGuard::Record(std::string_view tool, std::string_view arguments, std::string_view result,
                       bool is_error) {
  Seen seen{.call = HashOfCall(tool, arguments), .result = HashOf(result)};
  int same = 1;
  for (const Seen& other : window_) {
    same += other.call == seen.call && other.result == seen.result ? 1 : 0;
  }
  seen.progress = same == 1 && !is_error;
  Refill(seen);
  return same >= kWarnAt;
}

void LoopGuard::RecordBlocked(std::string_view tool, std::string_view arguments) {
  const std::uint64_t call = HashOfCall(tool, arguments);
  std::uint64_t result = 0;
  for (const Seen& other : window_) {
    if (other.call == call) result = other.result;
  }
  Push({.call = call, .result = result});
}

void LoopGuard::EndRound() {
  idle_rounds_ = progress_ ? 0 : idle_rounds_ + 1;
  progress_ = false;
}

}  // namespace talon::agent
