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
  // The model must answer in text now.
  bool exhausted() const { return terminate_ || idle_rounds_ >= no_progress_limit_; }

 private:
  struct Seen {
    std::size_t call, result;
  };
  void Push(Seen seen);
  std::deque<Seen> window_;
  std::uint32_t no_progress_limit_;
  std::uint32_t idle_rounds_ = 0;
  bool progress_ = false;
  bool terminate_ = false;
};

}  // namespace talon::agent
