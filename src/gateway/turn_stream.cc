// SPDX-License-Identifier: Apache-2.0
#include "gateway/turn_stream.h"

#include "base/status.h"

namespace talon::gateway {

void TurnStream::Push(std::string piece) {
  if (overflow_ || piece.empty()) return;
  seen_ = true;
  if (buffer_.size() + piece.size() > max_buffer_) {
    overflow_ = true;
    buffer_ = {};
  } else {
    buffer_ += piece;
  }
  if (wake_ != nullptr) std::exchange(wake_, nullptr)->Set(true);
}

void TurnStream::OnText(std::string_view delta) {
  text_seen_ = true;
  Push(format_.Text(delta));
}

void TurnStream::OnReasoning(std::string_view delta) {
  Push(format_.Reasoning(delta));
}

void TurnStream::OnToolStart(const agent::ToolActivity& activity) {
  Push(format_.ToolStart(activity));
}

void TurnStream::OnToolResult(const agent::ToolActivity& activity) {
  Push(format_.ToolResult(activity));
}

void TurnStream::OnToolProgress(const agent::ToolProgress& progress) {
  Push(format_.ToolProgress(progress));
}

// A client that reads too slowly is about to be dropped: it answers nothing.
bool TurnStream::OnQuestion(const agent::ToolQuestion& question) {
  std::string piece = format_.Question(question);
  const bool taken = !piece.empty();
  Push(std::move(piece));
  return taken && !overflow_;
}

void TurnStream::OnQuestionClosed(const QuestionId& question, tool::AnswerAction action) {
  Push(format_.QuestionClosed(question, action));
}

void TurnStream::OnEnd(const agent::TurnOutcome& outcome) {
  ended_ = true;
  if (!seen_) early_error_ = outcome.error;
  // A turn that was not watched from its beginning gives its text at the end.
  if (!text_seen_ && !outcome.answer.text.empty()) Push(format_.Text(outcome.answer.text));
  Push(format_.End(outcome));
}

io::Task<void> TurnStream::Woken() {
  auto wake = wake_ = std::make_shared<io::OneShot<bool>>();
  co_await wake->Wait();
}

io::Task<void> TurnStream::Begun() {
  while (!seen_ && !ended_) co_await Woken();
}

io::Task<absl::Status> TurnStream::Pump(io::ResponseWriter& writer) {
  while (true) {
    if (overflow_) co_return ResourceExhausted("the client reads too slowly");
    if (!buffer_.empty()) {
      TALON_CO_RETURN_IF_ERROR(co_await writer.Write(std::exchange(buffer_, {})));
      continue;
    }
    if (ended_) co_return co_await writer.Finish();
    co_await Woken();
  }
}

}  // namespace talon::gateway
