// SPDX-License-Identifier: Apache-2.0
#include "gateway/turn_stream.h"

#include "base/status.h"

namespace talon::gateway {
namespace {
constexpr std::size_t kMaxBuffer = 16u << 20;  // bytes a slow client may be behind
}

void TurnStream::Push(std::string piece) {
  if (overflow_) return;
  if (buffer_.size() + piece.size() > kMaxBuffer) {
    overflow_ = true;
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

void TurnStream::OnEnd(const agent::TurnOutcome& outcome) {
  ended_ = true;
  // A turn that was not watched from its beginning gives its text at the end.
  if (!text_seen_ && !outcome.answer.text.empty()) Push(format_.Text(outcome.answer.text));
  Push(format_.End(outcome));
}

io::Task<absl::Status> TurnStream::Pump(io::ResponseWriter& writer) {
  while (true) {
    if (overflow_) co_return ResourceExhausted("the client reads too slowly");
    if (!buffer_.empty()) {
      TALON_CO_RETURN_IF_ERROR(co_await writer.Write(std::exchange(buffer_, {})));
      continue;
    }
    if (ended_) co_return co_await writer.Finish();
    auto wake = wake_ = std::make_shared<io::OneShot<bool>>();
    co_await wake->Wait();
  }
}

}  // namespace talon::gateway
