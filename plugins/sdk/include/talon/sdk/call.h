// SPDX-License-Identifier: Apache-2.0
// One call as a handler sees it. Lives as long as the handler runs.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "talon/sdk/ask.h"

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

class CallInfo;

// What a call tells and asks while it runs; made by the SDK. Thread-safe.
class CallChannel {
 public:
  virtual ~CallChannel() = default;
  virtual void Progress(std::string_view text, double done, double total) = 0;
  virtual Answer Ask(const Question& question, const CallInfo& call) = 0;
};

class CallInfo {
 public:
  using Clock = std::chrono::steady_clock;

  std::string call_id;
  std::string session_id;
  // Stable over restarts of plugin and daemon; empty for tools that only read.
  std::string idempotency_key;
  Actor actor;  // of a tool call

  // `channel` may be empty: nobody hears of progress, and questions are cancelled.
  CallInfo(std::shared_ptr<CancelFlag> cancel, Clock::time_point deadline,
           std::shared_ptr<CallChannel> channel = nullptr)
      : cancel_(std::move(cancel)), deadline_(deadline), channel_(std::move(channel)) {}

  // The same call with a channel.
  CallInfo(CallInfo call, std::shared_ptr<CallChannel> channel) : CallInfo(std::move(call)) {
    channel_ = std::move(channel);
  }

  // How far a tool with `streams` or `asks` has come: a line for people, `done` of `total` in any
  // unit (0 = not known). Cheap; what comes faster than it can be shown is dropped.
  void Progress(std::string_view text, double done = 0, double total = 0) const;
  // Asks the person, from a tool with `asks` (ask.h); waits until there is an answer, the call is
  // cancelled or its deadline passes. The daemon stops the call's clock meanwhile.
  Answer Ask(const Question& question) const;

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
  std::shared_ptr<CallChannel> channel_;  // shared with the connection
};

}  // namespace talon::sdk
