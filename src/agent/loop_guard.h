// SPDX-License-Identifier: Apache-2.0
// Sees when a turn goes in circles: identical calls, or rounds without progress. One a turn; loop's
// thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace talon::agent {

// Over the last 15 calls: the same call with the same result twice warns, four times blocks, nine
// times the same call with any result ends the tool rounds.
class LoopGuard {
 public:
  explicit LoopGuard(std::uint32_t no_progress_rounds) : no_progress_limit_(no_progress_rounds) {}

  // How often this call gave the same result as its last time; at 4 it must not run.
  int Repeats(std::string_view tool, std::string_view arguments) const;
  static constexpr int kBlockAt = 4;

  // True when the model should be told that it repeats itself.
  bool Record(std::string_view tool, std::string_view arguments, std::string_view result,
              bool is_error);
  void RecordBlocked(std::string_view tool, std::string_view arguments);
  void EndRound();

  // One call as the guard remembers it. The hashes are the same in every process.
  struct Seen {
    std::uint64_t call = 0, result = 0;
    bool progress = false;  // something new came of it
  };
  // What was recorded last, to be kept with the turn, and put back by Refill() after a restart.
  const Seen& last() const { return window_.back(); }
  void Refill(const Seen& seen);
  // The model must answer in text now.
  bool exhausted() const { return terminate_ || idle_rounds_ >= no_progress_limit_; }

 private:
  void Push(const Seen& seen);
  std::deque<Seen> window_;
  std::uint32_t no_progress_limit_;
  std::uint32_t idle_rounds_ = 0;
  bool progress_ = false;
  bool terminate_ = false;
};

}  // namespace talon::agent
