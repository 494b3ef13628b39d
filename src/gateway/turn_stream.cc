// SPDX-License-Identifier: Apache-2.0
#include "gateway/turn_stream.h"

#include "base/status.h"

namespace talon::gateway {
namespace {

bool CameThroughProxy(const io::Headers& headers) {
  return headers.Has("Forwarded") || headers.Has("X-Forwarded-For") || headers.Has("Via");
}

}  // namespace

TurnStream::TurnStream(StreamFormat& format, io::Loop& loop, const Clock& clock,
                       const GatewayOptions& options, const io::Headers& headers)
    : format_(format),
      loop_(loop),
      clock_(clock),
      max_buffer_(options.stream_buffer.value),
      keep_alive_(CameThroughProxy(headers) ? options.keep_alive : options.keep_alive_direct),
      last_piece_(clock.SteadyNow()) {}

TurnStream::~TurnStream() {
  loop_.CancelTimer(timer_);
}

void TurnStream::StartKeepAlive() {
  if (keep_alive_.count() == 0 || ended_ || std::exchange(keeps_alive_, true)) return;
  ArmKeepAlive();
}

void TurnStream::ArmKeepAlive() {
  timer_ = loop_.CallAt(last_piece_ + keep_alive_, [this] { KeepAlive(); });
}

void TurnStream::KeepAlive() {
  if (ended_ || overflow_) return;
  if (clock_.SteadyNow() >= last_piece_ + keep_alive_) {
    // A client that has not taken what came before is not waiting for this.
    if (buffer_.empty()) Push(": keep-alive\n\n");
    last_piece_ = clock_.SteadyNow();
  }
  ArmKeepAlive();
}

void TurnStream::Push(std::string piece) {
  if (overflow_ || piece.empty()) return;
  seen_ = true;
  last_piece_ = clock_.SteadyNow();
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

void TurnStream::OnApproval(const agent::ApprovalRequest& request) {
  Push(format_.Approval(request));
}

void TurnStream::OnApprovalClosed(const std::string& id, journal::ApprovalState state) {
  Push(format_.ApprovalClosed(id, state));
}

void TurnStream::OnApprovalMissing(const agent::ApprovalRequest& request) {
  Push(format_.ApprovalMissing(request));
}

void TurnStream::OnEnd(const agent::TurnOutcome& outcome) {
  ended_ = true;
  loop_.CancelTimer(timer_);
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
  StartKeepAlive();
  while (!seen_ && !ended_) co_await Woken();
}

io::Task<absl::Status> TurnStream::Pump(io::ResponseWriter& writer) {
  StartKeepAlive();
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
