// SPDX-License-Identifier: Apache-2.0
// The built-in model. Deterministic but for call ids; no network, no state between calls.
#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "model/factory.h"
#include "model/reflex/turn.h"
#include "model/wire.h"

namespace talon::model {
namespace {

constexpr std::size_t kBytesPerToken = 4;      // for the estimated usage
constexpr std::size_t kSmallPieces = 2 << 10;  // bytes streamed word by word
constexpr std::size_t kLargePiece = 1 << 10;   // least bytes of a piece behind them

std::int64_t Tokens(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + kBytesPerToken - 1) / kBytesPerToken);
}

std::size_t SizeOf(const Message& message) {
  std::size_t bytes = 0;
  for (const Part& part : message.parts) {
    if (const auto* text = std::get_if<TextPart>(&part)) {
      bytes += text->text.size();
    } else if (const auto* call = std::get_if<ToolCall>(&part)) {
      bytes += call->name.size() + call->arguments.size();
    } else if (const auto* result = std::get_if<ToolResult>(&part)) {
      bytes += result->content.size();
    }
  }
  return bytes;
}

std::size_t SizeOf(const ChatRequest& request) {
  std::size_t bytes = request.system.size();
  for (const Message& message : request.messages) bytes += SizeOf(message);
  for (const ToolDefinition& tool : request.tools) {
    bytes += tool.name.size() + tool.description.size() + tool.schema.size();
  }
  return bytes;
}

std::size_t CallsIn(const ChatRequest& request) {
  std::size_t calls = 0;
  for (const Message& message : request.messages) calls += ToolCallsOf(message).size();
  return calls;
}

// Word by word, blanks with the word before them; long answers in larger pieces.
absl::Status Stream(std::string_view text, const CallContext& context, DeltaSink& sink) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    if (context.cancel.cancelled()) return context.cancel.status();
    const std::size_t least = sent < kSmallPieces ? 1 : kLargePiece;
    std::size_t end = text.find_first_of(" \n", std::min(sent + least, text.size()));
    end = end == std::string_view::npos ? text.size() : end + 1;
    sink.OnText(text.substr(sent, end - sent));
    sent = end;
  }
  return absl::OkStatus();
}

class ReflexModel : public ChatModel {
 public:
  explicit ReflexModel(const Clock& clock) : clock_(clock) {}

  io::Task<absl::StatusOr<ChatResponse>> Complete(ChatRequest request, CallContext context,
                                                  DeltaSink* sink) override {
    if (context.cancel.cancelled()) co_return context.cancel.status();
    TALON_CO_RETURN_IF_ERROR(RefuseExtra(request));
    reflex::Answer answer = reflex::MakeAnswer(texts_, clock_, request);
    ChatResponse response;
    response.message.role = Role::kAssistant;
    response.message.label.integrity = Integrity::kUntrusted;
    response.model = "reflex";
    if (answer.call) {
      // Unique in a session although older calls may have left the window.
      answer.call->id = fmt::format("call_{:x}_{}", clock_.Now().time_since_epoch().count(),
                                    CallsIn(request) + 1);
      if (sink != nullptr) sink->OnToolCall(0, answer.call->id, answer.call->name);
      response.finish_reason = FinishReason::kToolCalls;
      response.message.parts.emplace_back(*std::move(answer.call));
    } else {
      std::string text = RepairUtf8(answer.text);
      if (request.max_output_tokens) {
        const auto most = static_cast<std::size_t>(std::max<std::int64_t>(
                              1, std::min<std::int64_t>(*request.max_output_tokens, 1 << 24))) *
                          kBytesPerToken;
        if (text.size() > most) {
          text = TruncateUtf8(text, most);
          response.finish_reason = FinishReason::kLength;
        }
      }
      if (sink != nullptr) {
        TALON_CO_RETURN_IF_ERROR(Stream(text, context, *sink));
      }
      response.message.parts.emplace_back(TextPart{std::move(text)});
    }
    response.usage.input_tokens = Tokens(SizeOf(request));
    response.usage.output_tokens = Tokens(SizeOf(response.message));
    co_return response;
  }

 private:
  const reflex::Texts texts_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<ChatModel> MakeReflexModel(const Clock& clock) {
  return std::make_unique<ReflexModel>(clock);
}

}  // namespace talon::model
