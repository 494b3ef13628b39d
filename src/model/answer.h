// SPDX-License-Identifier: Apache-2.0
// Puts an answer together from what a wire reads, whole or piece by piece, and passes the pieces on
// to the sink. Bounds what a provider can make us hold: past a limit everything further is dropped
// and overflow() says so. One answer; loop's thread; private to the room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat_model.h"
#include "model/types.h"

namespace talon::model {

struct AnswerLimits {
  std::uint64_t max_bytes = 0;
  std::uint32_t max_calls = 0;
};

class Answer {
 public:
  static constexpr int kNoCall = -1;  // what the functions taking a call accept and ignore

  // `sink` may be null. `provider` is written into reasoning parts.
  Answer(std::string provider, DeltaSink* sink, AnswerLimits limits);

  void AddText(std::string_view text);
  // Continues the reasoning part under way, or begins one.
  void AddReasoning(std::string_view text);
  // Ends the reasoning part under way with the provider's proof; without one it is a part by
  // itself.
  void SignReasoning(std::string_view signature);
  void AddRedactedReasoning(std::string_view data);

  // Begins a tool call; kNoCall past the limit.
  int BeginCall();
  // The first non-empty value counts; an id used before in this answer is replaced by one of ours.
  void SetCallId(int call, std::string_view id);
  void SetCallName(int call, std::string_view name);
  void SetCallSignature(int call, std::string_view signature);
  void AddCallArguments(int call, std::string_view fragment);
  int call_count() const { return static_cast<int>(calls_.size()); }
  const ToolCall& call(int index) const;

  // One token's "logprobs" as JSON.
  void AddLogprob(std::string_view json);

  void SetUsage(const Usage& usage);
  void SetIdentity(std::string_view response_id, std::string_view model);
  void Finish(FinishReason reason);

  const Usage& usage() const { return response_.usage; }
  bool empty() const { return response_.message.parts.empty(); }
  bool finished() const { return finished_; }
  bool delivered() const { return delivered_; }  // the sink has been called
  const std::string& overflow() const { return overflow_; }

  // The complete answer: call ids made where missing, empty arguments become "{}", the finish
  // reason agrees with whether there are calls. Once.
  ChatResponse Take();

 private:
  ToolCall& Call(int index);
  bool Fits(std::size_t bytes);

  const std::string provider_;
  DeltaSink* const sink_;
  const AnswerLimits limits_;
  ChatResponse response_;
  std::vector<std::size_t> calls_;  // positions in response_.message.parts
  std::uint64_t bytes_ = 0;
  bool reasoning_open_ = false;
  bool finished_ = false;
  bool delivered_ = false;
  std::string overflow_;
};

}  // namespace talon::model
