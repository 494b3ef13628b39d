// SPDX-License-Identifier: Apache-2.0
// A session in memory: its recent messages and the turns that run or wait in it. One turn at a
// time; turns that arrive meanwhile follow in order. Loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "base/cancel.h"
#include "io/one_shot.h"
#include "journal/records.h"
#include "model/types.h"

namespace talon::agent {

// One turn on its way. Shared by its session, the loop that runs it and those who wait for it.
struct TurnRun {
  TurnId turn;
  EventId event;
  SessionId session;
  Principal principal;
  TurnInput input;
  bool recovered = false;  // taken up from the journal
  bool parked = false;     // the daemon stops: leave the turn unfinished in the journal
  std::vector<TurnObserver*> observers;
  CancelSource cancel;
  std::optional<TurnOutcome> outcome;
  std::vector<std::shared_ptr<io::OneShot<bool>>> waiters;
  std::int64_t step_seq = 0;  // last step recorded
};

struct StoredMessage {
  TurnId turn;
  model::Message message;
};

struct Session {
  journal::SessionRecord record;
  bool persisted = false;
  std::deque<StoredMessage> history;  // the last `context_messages`
  std::int64_t last_seq = 0;
  std::shared_ptr<TurnRun> running;
  std::deque<std::shared_ptr<TurnRun>> waiting;
  std::uint64_t last_used = 0;  // for eviction
  int pins = 0;                 // users that hold it across a suspension
  bool discard = false;         // ahead of or behind the journal: load it anew when idle

  bool idle() const { return running == nullptr && waiting.empty() && pins == 0; }
};

}  // namespace talon::agent
