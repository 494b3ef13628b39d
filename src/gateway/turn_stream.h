// SPDX-License-Identifier: Apache-2.0
// From a turn's observer calls to a paced HTTP stream: what is seen gathers here while the client
// takes what came before. One a request; loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/agent.h"
#include "agent/observer.h"
#include "base/clock.h"
#include "gateway/options.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/task.h"

namespace talon::gateway {

// Turns what is observed into bytes of one wire.
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;
  virtual std::string Start() { return ""; }
  virtual std::string Text(std::string_view delta) = 0;
  virtual std::string Reasoning(std::string_view delta) = 0;
  virtual std::string ToolStart(const agent::ToolActivity& activity) = 0;
  virtual std::string ToolResult(const agent::ToolActivity& activity) = 0;
  // Wires that know neither progress nor questions leave these out; see TurnObserver.
  virtual std::string ToolProgress(const agent::ToolProgress&) { return ""; }
  virtual std::string Question(const agent::ToolQuestion&) { return ""; }
  virtual std::string QuestionClosed(const QuestionId&, tool::AnswerAction) { return ""; }
  virtual std::string Approval(const agent::ApprovalRequest&) { return ""; }
  virtual std::string ApprovalClosed(const std::string&, journal::ApprovalState) { return ""; }
  virtual std::string ApprovalMissing(const agent::ApprovalRequest&) { return ""; }
  // The end of the stream, error or answer.
  virtual std::string End(const agent::TurnOutcome& outcome) = 0;
};

class TurnStream : public agent::TurnObserver {
 public:
  // `headers`: of the request, which tell whether a proxy could cut a silent stream. The others
  // must outlive this.
  TurnStream(StreamFormat& format, io::Loop& loop, const Clock& clock,
             const GatewayOptions& options, const io::Headers& headers);
  ~TurnStream() override;
  TurnStream(const TurnStream&) = delete;
  TurnStream& operator=(const TurnStream&) = delete;

  void OnText(std::string_view delta) override;
  void OnReasoning(std::string_view delta) override;
  void OnToolStart(const agent::ToolActivity& activity) override;
  void OnToolProgress(const agent::ToolProgress& progress) override;
  void OnToolResult(const agent::ToolActivity& activity) override;
  bool OnQuestion(const agent::ToolQuestion& question) override;
  void OnQuestionClosed(const QuestionId& question, tool::AnswerAction action) override;
  void OnApproval(const agent::ApprovalRequest& request) override;
  void OnApprovalClosed(const std::string& id, journal::ApprovalState state) override;
  void OnApprovalMissing(const agent::ApprovalRequest& request) override;
  void OnEnd(const agent::TurnOutcome& outcome) override;

  // Ends when there is something to write: until then the answer's head can still tell an error.
  io::Task<void> Begun();
  // Why the turn ended, when it failed before anything was seen of it.
  const absl::Status& early_error() const { return early_error_; }

  // Writes until the turn has ended and all is written. An error when the client is gone or too
  // slow.
  io::Task<absl::Status> Pump(io::ResponseWriter& writer);
  bool ended() const { return ended_; }

 private:
  void Push(std::string piece);
  // One timer, not one a piece: it looks when it fires whether something was said meanwhile.
  void StartKeepAlive();
  void ArmKeepAlive();
  void KeepAlive();
  io::Task<void> Woken();
  StreamFormat& format_;
  io::Loop& loop_;
  const Clock& clock_;
  const std::size_t max_buffer_;  // bytes the client may be behind
  const std::chrono::milliseconds keep_alive_;
  SteadyTime last_piece_;
  io::TimerId timer_{};
  bool keeps_alive_ = false;
  std::string buffer_;
  std::shared_ptr<io::OneShot<bool>> wake_;
  absl::Status early_error_;
  bool seen_ = false;  // anything
  bool text_seen_ = false;
  bool ended_ = false;
  bool overflow_ = false;
};

}  // namespace talon::gateway
