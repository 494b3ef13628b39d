// SPDX-License-Identifier: Apache-2.0
// An Anthropic Messages request as JSON text: roles alternate, tool results come first in their
// user message, the system prompt stands apart. Loop's thread; private to the room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/anthropic/generation.h"
#include "model/json_text.h"
#include "model/wire.h"

namespace talon::model {

class AnthropicRequest {
 public:
  // `entry` may be null; all borrowed for the one call of Write.
  AnthropicRequest(const ChatRequest& request, const ModelEntry* entry, const std::string& provider,
                   std::int64_t default_max_tokens);
  std::string Write(Delivery delivery);

 private:
  void DecideThinking(std::int64_t default_max_tokens);
  bool HistoryAllowsThinking() const;
  bool IsOwn(const ReasoningPart& part) const;
  bool IsSendable(const Message& message) const;
  void System();
  void Messages();
  void OneTurn(const Turn& turn, bool last);
  void UserBlocks(const Turn& turn);
  void AssistantBlocks(const Turn& turn);
  void TextBlock(std::string_view text);
  void ImageBlock(const ImagePart& image);
  void ReasoningBlock(const ReasoningPart& part);
  void CallBlock(const ToolCall& call);
  void ResultBlock(const ToolResult& result);
  void Tools();
  void ToolsOfHistory();
  void Settings();
  void Thinking();
  // Marks the object just closed as the end of a cacheable prefix.
  void MarkCacheable();

  const ChatRequest& request_;
  const ModelEntry* const entry_;
  const std::string& provider_;
  const ClaudeGeneration generation_;
  ReasoningEffort effort_ = ReasoningEffort::kDefault;
  bool thinking_ = false;
  std::int64_t max_tokens_ = 0;
  std::int64_t budget_ = 0;
  std::string out_;
  JsonText json_{out_};
};

}  // namespace talon::model
