// SPDX-License-Identifier: Apache-2.0
// A session in memory: its recent messages and the turns that run or wait in it. One turn at a
// time; turns that arrive meanwhile follow in order. Loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "base/cancel.h"
#include "guard/provenance.h"
#include "io/one_shot.h"
#include "journal/records.h"
#include "model/types.h"
#include "tool/schema.h"

namespace talon::agent {

// A question that waits for the person. Shared by the call that asks and the answer that comes.
struct OpenQuestion {
  ToolQuestion shown;
  std::shared_ptr<const tool::Schema> form;  // null: yes or no, or a link
  std::vector<TurnObserver*> shown_to;
  io::OneShot<tool::Answer> answer;
  // How the answer fared: OK when it is in the journal and on its way to the tool.
  std::vector<std::shared_ptr<io::OneShot<absl::Status>>> until_taken;
};

// An approval that waits for the person. Shared likewise.
struct OpenApproval {
  ApprovalRequest shown;
  io::OneShot<journal::ApprovalState> answer;
};

// One turn on its way. Shared by its session, the loop that runs it and those who wait for it.
struct TurnRun {
  TurnId turn;
  EventId event;
  SessionId session;
  Principal principal;
  TurnInput input;
  std::string own_words;              // of the person, where hooks made something else of them
  bool advised_instructions = false;  // a hook rewrote `input.instructions`
  bool recovered = false;             // taken up from the journal: it may have begun before
  bool stranded = false;  // then, by a failing disk in this process and not by a restart
  bool unread = false;    // `input` is still in the journal, to be read when the turn starts
  bool started = false;   // no longer waits in its session
  bool parked = false;    // the daemon stops: leave the turn unfinished in the journal
  SteadyTime deadline = SteadyTime::max();
  std::vector<TurnObserver*> observers;
  std::string shown;  // text of the answer that observers were shown, for those who come later
  std::map<QuestionId, std::shared_ptr<OpenQuestion>> questions;
  // Approvals the turn waits for, by their ids.
  std::map<std::string, std::shared_ptr<OpenApproval>> approvals;
  CancelSource cancel;
  std::optional<TurnOutcome> outcome;
  std::vector<std::shared_ptr<io::OneShot<bool>>> waiters;
  std::int64_t step_seq = 0;  // last step recorded
};

// What the turn's calls of models and tools are given.
CallContext ContextOf(const TurnRun& run);
// Why the turn must not go on; OK while it may.
absl::Status Alive(const TurnRun& run, const Clock& clock);

struct StoredMessage {
  TurnId turn;
  std::int64_t seq = 0;
  model::Message message;
};

// Where the session's values came from, as far as it was asked for.
struct Origins {
  guard::Provenance provenance;
  std::int64_t seq = 0;  // of the last message in it
  TurnId turn;           // whose words it has
};

struct Session {
  journal::SessionRecord record;
  bool persisted = false;
  bool stale = false;                 // not as the journal has it: loaded anew before its next turn
  std::deque<StoredMessage> history;  // the last `context_messages`, and what the running turn adds
  std::int64_t last_seq = 0;
  Label label{.integrity = Integrity::kSystem, .readers = {}};  // join over the history
  Origins origins;
  std::shared_ptr<TurnRun> running;
  std::deque<std::shared_ptr<TurnRun>> waiting;
  // Turns that a failing disk left unfinished in the journal, oldest first. They resume before the
  // session's next turn.
  std::deque<std::shared_ptr<TurnRun>> stranded;
  bool ready = false;        // waits for a slot
  std::size_t arriving = 0;  // turns that will wait once the journal has accepted them
  // While the session's first turn is being stored, those who wait for that.
  bool creating = false;
  std::vector<std::shared_ptr<io::OneShot<bool>>> until_created;
  std::uint64_t last_used = 0;  // for eviction
  int pins = 0;                 // users that hold it across a suspension

  bool idle() const {
    return running == nullptr && waiting.empty() && stranded.empty() && !ready && pins == 0;
  }
  void Add(StoredMessage stored);
  // Lets the oldest messages beyond `limit` go. Between turns: a turn must not lose what it was
  // asked.
  void Trim(std::size_t limit);
};

// Keeps a session in memory across a suspension.
class Pin {
 public:
  explicit Pin(Session& session) : session_(&session) { ++session_->pins; }
  Pin(Pin&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
  Pin& operator=(Pin&&) = delete;
  ~Pin() {
    if (session_ != nullptr) --session_->pins;
  }
  Session& operator*() const { return *session_; }

 private:
  Session* session_;
};

}  // namespace talon::agent
