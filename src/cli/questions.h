// SPDX-License-Identifier: Apache-2.0
// The questions of a turn that a person at this terminal watches: asked one after another on a
// worker thread while the turn goes on, answered over the API, given up when they are withdrawn.
// Where nobody can answer (standard input is no terminal) they are declined at once. Main thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/approval_form.h"
#include "cli/client.h"
#include "io/nursery.h"
#include "io/task.h"

namespace talon::cli {

class Questions {
 public:
  explicit Questions(Client& client);
  ~Questions();

  // Whether somebody is there to answer.
  bool answers() const { return terminal_ != nullptr; }
  // Where answers go: "/v1/.../questions/"; of a turn its first event tells.
  void AnswerAt(std::string path) { answers_at_ = std::move(path); }
  // Every event of the turn's stream.
  void OnEvent(std::string_view event, const Json& data);
  // Calls that were refused because nobody is here to approve them: {tool, arguments, reason}, and
  // the "grant" that would allow the like.
  const std::vector<Json>& unapproved() const { return unapproved_; }
  // Ctrl-C: true when a question was open, which is now declined.
  bool Interrupt();
  // The turn is over: ends when nothing is asked any more.
  io::Task<void> Finish();

 private:
  class Terminal;  // the person, and a way to take the question away
  io::Task<void> AskAll();
  void OnApproval(const Json& data);
  void OnApprovalMissing(const Json& data);
  io::Task<void> Reply(std::string question, std::string body);
  io::Task<void> ReplyApproval(Json approval, ApprovalAnswer answer);
  io::Task<absl::Status> AddGrant(const Json& grant);

  Client& client_;
  std::unique_ptr<Terminal> terminal_;  // null: nobody can answer
  std::string answers_at_;
  std::vector<Json> unapproved_;
  std::deque<Json> open_;  // the first is being asked
  bool asks_ = false;      // AskAll() runs
  bool reading_ = false;   // the person's lines are being read
  io::Nursery asking_;
};

// `on_event`, and the questions asked; `questions` must outlive the stream.
EventHandler AlsoAsking(Questions& questions, EventHandler on_event);

// Client::RunTurn with its questions asked.
io::Task<absl::Status> RunAsked(Client& client, TurnRequest request, Questions& questions,
                                EventHandler on_event, CallContext context);

}  // namespace talon::cli
