// SPDX-License-Identifier: Apache-2.0
// A Gemini generateContent request as JSON text: roles user and model alternate, results answer
// calls by name. Loop's thread; private to the room.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/json_text.h"
#include "model/wire.h"

namespace talon::model {

// Gives the cleaned schema of a tool; the wire keeps them between requests.
using SchemaSource = std::function<const std::string&(const std::string& schema)>;

class GoogleRequest {
 public:
  // `entry` may be null; all borrowed for the one call of Write.
  GoogleRequest(const ChatRequest& request, const ModelEntry* entry, const std::string& provider,
                const SchemaSource& schemas);
  std::string Write();

 private:
  bool IsSendable(const Message& message) const;
  void System();
  void Contents();
  void OneTurn(const Turn& turn);
  void UserParts(const Turn& turn);
  void ModelParts(const Turn& turn);
  void TextPiece(std::string_view text);
  void ImagePiece(const ImagePart& image);
  void ReasoningPiece(const ReasoningPart& part);
  void CallPiece(const ToolCall& call, bool first);
  void ResultPiece(const ToolResult& result);
  std::string NameOf(const ToolResult& result) const;
  void Tools();
  void GenerationConfig();
  void ThinkingConfig();

  const ChatRequest& request_;
  const ModelEntry* const entry_;
  const std::string& provider_;
  const SchemaSource& schemas_;
  const std::string_view model_;  // without "models/"
  const bool signs_calls_;        // Gemini 3 and later refuse calls without a signature
  std::string out_;
  JsonText json_{out_};
};

// "gemini-3-pro" is 300, "gemini-2.5-flash" 205; 0 for other names.
int GeminiVersion(std::string_view model);

}  // namespace talon::model
