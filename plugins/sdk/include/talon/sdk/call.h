// SPDX-License-Identifier: Apache-2.0
// One call as a handler sees it. Lives as long as the handler runs.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace talon::sdk {

// Set once, by the connection, when the daemon gives the call up. Thread-safe.
class CancelFlag {
 public:
  CancelFlag();
  ~CancelFlag();
  CancelFlag(const CancelFlag&) = delete;
  CancelFlag& operator=(const CancelFlag&) = delete;

  void Set();
  bool is_set() const;
  // A descriptor that becomes readable when the flag is set; -1 when none could be made. Owned by
  // the flag.
  int fd();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Who acts. Set by the daemon, never by a plugin or a model.
struct Actor {
  std::string tenant, user, agent;
  std::string origin;  // "cli", "http", "timer", "plugin:<name>" …
};

class CallInfo {
 public:
  using Clock = std::chrono::steady_clock;

  std::string call_id;
  std::string session_id;
  // Stable over restarts of plugin and daemon; empty for tools that only read.
  std::string idempotency_key;
  Actor actor;  // of a tool call

  CallInfo(std::shared_ptr<CancelFlag> cancel, Clock::time_point deadline)
      : cancel_(std::move(cancel)), deadline_(deadline) {}

  // True once nobody waits for the answer: cancelled, or past the deadline.
  bool cancelled() const;
  // time_point::max() when there is none.
  Clock::time_point deadline() const { return deadline_; }
  // The smaller of `wish` and what is left to the deadline; never negative.
  std::chrono::milliseconds TimeLeft(std::chrono::milliseconds wish) const;
  // To wait for cancellation beside other descriptors in poll(2): readable when cancelled. Does
  // not fire at the deadline; -1 when no descriptor could be made.
  int cancel_fd() const;

 private:
  std::shared_ptr<CancelFlag> cancel_;  // shared with the connection, which may set it at any time
  Clock::time_point deadline_;
};

}  // namespace talon::sdk
