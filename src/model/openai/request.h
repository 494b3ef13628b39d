// SPDX-License-Identifier: Apache-2.0
// A Chat Completions request as JSON text. Loop's thread; private to the room.
#pragma once

#include <string>

#include "model/json_text.h"
#include "model/openai/dialect.h"
#include "model/wire.h"

namespace talon::model {

class OpenAiRequest {
 public:
  // `entry` may be null; all borrowed for the one call of Write.
  OpenAiRequest(const ChatRequest& request, const ModelEntry* entry, const OpenAiDialect& dialect,
                const std::string& provider);
  std::string Write(Delivery delivery);

 private:
  void Messages();
  void OneMessage(const Message& message);
  void UserMessage(const Message& message);
  void AssistantMessage(const Message& message);
  void ToolMessages(const Message& message);
  void Content(const Message& message);
  void CallPart(const ToolCall& call);
  void Reasoning(const Message& message, bool has_calls);
  void Tools();
  void Settings();
  std::string CallId(const std::string& id) const;

  const ChatRequest& request_;
  const ModelEntry* const entry_;
  const OpenAiDialect& dialect_;
  const std::string& provider_;
  std::string out_;
  JsonText json_{out_};
};

}  // namespace talon::model
