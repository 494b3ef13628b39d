// SPDX-License-Identifier: Apache-2.0
// What a tool tells and asks while a call of it runs. Everything a tool says here is raw: untrusted
// until guard/ has seen it. Loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"

namespace talon::tool {

struct Progress {
  std::string text;  // for people; may be empty
  double done = 0;   // of `total`, in any unit
  double total = 0;  // 0 = not known
};

// Asked of the person whose turn it is.
struct Question {
  std::string text;
  std::string schema;  // JSON Schema of the answer: an object of plain values; empty = yes or no
  std::string url;     // instead of a schema: a page where the person answers
};

enum class AnswerAction {
  kCancel,   // nobody answered, or nobody is there
  kDecline,  // also what the daemon answers for the person to a question it does not pass on
  kAccept,
};

// "accept", "decline", "cancel".
std::string_view AnswerActionName(AnswerAction action);
absl::StatusOr<AnswerAction> ParseAnswerAction(std::string_view name);

struct Answer {
  AnswerAction action = AnswerAction::kCancel;
  std::string content;  // JSON that fits the schema; with kAccept only
  std::string reason;   // why the daemon did not pass the question on; for the tool's author
};

class CallEvents {
 public:
  virtual ~CallEvents() = default;
  virtual void OnProgress(const Progress& progress) = 0;
  // Ends with the person's answer; without one when nobody is there, nobody answers in time, or
  // `context` ends. The call's own time stands still meanwhile.
  virtual io::Task<Answer> Ask(Question question, CallContext context) = 0;
};

}  // namespace talon::tool
