// SPDX-License-Identifier: Apache-2.0
// How a caller watches a turn while it runs. Calls come on the loop's thread and must not block.
// What is seen here is a preview; the turn's recorded answer decides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "journal/records.h"
#include "tool/events.h"

namespace talon::agent {

struct ToolActivity {
  std::string call_id;
  std::string tool;
  std::string arguments;  // JSON text, at most 2 KB
  std::string result;     // excerpt, at most 2 KB, when finished
  bool is_error = false;
  long duration_ms = 0;
};

struct ToolProgress {
  std::string call_id;
  std::string tool;
  std::string text;  // one line, harmless; may be empty
  double done = 0;
  double total = 0;  // 0 = not known
};

// What a tool asks the person. Made safe by guard/, but a plugin's words: show who asks.
struct ToolQuestion {
  QuestionId id;
  std::string call_id;
  std::string tool;
  std::string plugin;
  std::string text;
  std::string schema;               // see guard/question.h; empty = yes or no
  std::vector<std::string> fields;  // of the schema, in the order to ask
  std::string url;                  // instead of a schema
  long timeout_ms = 0;
};

// A call that waits for the person's approval. The record is as it is stored: arguments and
// provenance are for a person to judge, and may hold anybody's words.
struct ApprovalRequest {
  journal::ApprovalRecord record;
  std::string code_at;  // where the one-time code went, when one is needed
};

struct TurnOutcome;

class TurnObserver {
 public:
  virtual ~TurnObserver() = default;
  virtual void OnText(std::string_view delta) { (void)delta; }
  virtual void OnReasoning(std::string_view delta) { (void)delta; }
  virtual void OnToolStart(const ToolActivity& activity) { (void)activity; }
  // At most one in `orchestrator.progress_interval` a call; the latest is not always seen.
  virtual void OnToolProgress(const ToolProgress& progress) { (void)progress; }
  virtual void OnToolResult(const ToolActivity& activity) { (void)activity; }
  // True when the person can answer by Agent::Answer: the question then stays open until it is
  // answered, its time is up, its call ends, or every observer that took it is forgotten.
  virtual bool OnQuestion(const ToolQuestion& question) {
    (void)question;
    return false;
  }
  // Of a question that was taken; `action` is how it ended.
  virtual void OnQuestionClosed(const QuestionId& question, tool::AnswerAction action) {
    (void)question, (void)action;
  }
  // Anybody who may can answer, not only who watches: Agent::AnswerApproval.
  virtual void OnApproval(const ApprovalRequest& request) { (void)request; }
  virtual void OnApprovalClosed(const std::string& id, journal::ApprovalState state) {
    (void)id, (void)state;
  }
  // A call that needs an approval was refused, since nobody is there to ask: a record without an
  // id.
  virtual void OnApprovalMissing(const ApprovalRequest& request) { (void)request; }
  // The last call: how the turn ended.
  virtual void OnEnd(const TurnOutcome& outcome) = 0;
};

}  // namespace talon::agent
