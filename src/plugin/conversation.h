// SPDX-License-Identifier: Apache-2.0
// One call of a tool over an open stream: passes progress on, brings questions to the person one
// after another and the answers back, and ends with the result. What the plugin does meanwhile is
// seen at once: when it ends, an open question is withdrawn. Loop's thread.
#pragma once

#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/cancel.h"
#include "io/nursery.h"
#include "io/task.h"
#include "plugin/talk.h"
#include "plugin/transport.h"
#include "tool/events.h"

namespace talon::plugin {

enum class Talk {
  kUpdates,    // ExecuteStream
  kQuestions,  // Converse
};

class Conversation {
 public:
  // `events` (may be null: nobody listens) must outlive it. `max_questions`: that may wait for the
  // person at once.
  Conversation(io::Loop& loop, Talk talk, tool::CallEvents* events, CallContext context,
               std::size_t max_questions);

  // What the stream is to be opened with: it ends with the conversation.
  const CallContext& context() const { return context_; }
  // Once. `request`: a serialised ExecuteRequest; the answer: a serialised ExecuteResponse.
  io::Task<absl::StatusOr<std::string>> Run(PluginStream& stream, std::string request);

 private:
  io::Task<absl::StatusOr<std::string>> Listen(PluginStream& stream);
  io::Task<absl::Status> Say(PluginStream& stream, std::string request);
  absl::Status Take(PluginStream& stream, PluginQuestion question);
  io::Task<void> AskAll(PluginStream& stream);

  const Talk talk_;
  tool::CallEvents* const events_;
  const std::size_t max_questions_;
  CallContext context_;
  CancelSource over_;                     // when the conversation has ended
  std::deque<PluginQuestion> questions_;  // the first is being asked
  io::Nursery asking_;
};

}  // namespace talon::plugin
