// SPDX-License-Identifier: Apache-2.0
// What a turn that did not end left in the journal: how far it came, and which calls of its last
// answer have no result. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/loop_guard.h"
#include "agent/session.h"
#include "journal/records.h"
#include "model/types.h"

namespace talon::agent {

// Why a turn was taken up anew, in the step that says so.
inline constexpr std::string_view kAfterRestart = "restart";
inline constexpr std::string_view kAfterStoreFailure = "store_failure";

// A call that was about to run when the process ended, as recorded.
struct IntendedCall {
  std::string effect_key;
  std::string arguments;  // as the guard had made them
  bool read_only = false;
};

struct Remains {
  std::int64_t last_step = 0;
  // Restarts it was taken up after since it last got a step further: asking and intending are none.
  std::uint32_t resumptions = 0;
  bool waits = false;                  // for the person's approval
  std::chrono::microseconds spent{0};  // running; the time between two processes is not counted
  std::uint32_t rounds = 0;            // answers of a model taken in
  std::uint32_t repairs = 0;           // flawed answers asked for again
  std::vector<std::string> texts;      // of those answers
  model::Usage usage;
  double cost_usd = 0;
  std::string model;     // who gave the last one
  bool effects = false;  // a call that changes something was about to run
  // Of the last answer: its calls, its position in the session, and what came of the calls.
  std::vector<model::ToolCall> calls;
  std::int64_t calls_seq = 0;
  std::map<std::string, IntendedCall> intended;  // by call id
  std::set<std::string> done;                    // ids of the calls that have their result
};

// What the steps tell. The loop guard is put back to where it was.
void ReadSteps(const std::vector<journal::StepRecord>& steps, Remains& remains,
               LoopGuard& loop_guard);
// What the messages tell. The turn's first `input_messages` messages are what it was asked, which
// may look like answers and calls, but are the caller's words. False when the turn has no message
// yet: it has not begun.
bool ReadMessages(const Session& session, const TurnId& turn, std::size_t input_messages,
                  Remains& remains);

}  // namespace talon::agent
