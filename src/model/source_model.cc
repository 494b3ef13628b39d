// SPDX-License-Identifier: Apache-2.0
#include "model/source_model.h"

#include <utility>

#include "base/status.h"
#include "model/answer.h"
#include "model/fault.h"

namespace talon::model {
namespace {

class NotingSink : public DeltaSink {
 public:
  NotingSink(DeltaSink& inner, bool& delivered) : inner_(inner), delivered_(delivered) {}
  void OnText(std::string_view text) override {
    delivered_ = true;
    inner_.OnText(text);
  }
  void OnReasoning(std::string_view text) override {
    delivered_ = true;
    inner_.OnReasoning(text);
  }
  void OnToolCall(int index, std::string_view id, std::string_view name) override {
    delivered_ = true;
    inner_.OnToolCall(index, id, name);
  }

 private:
  DeltaSink& inner_;
  bool& delivered_;
};

void Add(const ReasoningPart& part, Answer& answer) {
  answer.AddReasoning(part.text);
  answer.SignReasoning(part.signature);
  answer.AddRedactedReasoning(part.redacted);
}

void Add(const ToolCall& part, Answer& answer) {
  const int call = answer.BeginCall();
  answer.SetCallId(call, part.id);
  answer.SetCallName(call, part.name);
  answer.AddCallArguments(call, part.arguments);
  answer.SetCallSignature(call, part.signature);
}

}  // namespace

SourceModel::SourceModel(std::string provider, ProviderOptions options,
                         std::unique_ptr<ModelSource> source, const Redactor& redactor,
                         const Clock& clock, Sleep sleep)
    : RetryingModel(std::move(provider), std::move(options), clock, std::move(sleep)),
      source_(std::move(source)),
      redactor_(redactor) {}

absl::StatusOr<ChatResponse> SourceModel::Admit(ChatResponse given) const {
  Answer answer(provider(), nullptr,
                {.max_bytes = options().max_answer.value, .max_calls = options().max_tool_calls});
  for (const Part& part : given.message.parts) {
    if (const auto* text = std::get_if<TextPart>(&part)) answer.AddText(text->text);
    if (const auto* reasoning = std::get_if<ReasoningPart>(&part)) Add(*reasoning, answer);
    if (const auto* call = std::get_if<ToolCall>(&part)) Add(*call, answer);
  }
  if (!answer.overflow().empty()) {
    return MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kTransport,
                     answer.overflow());
  }
  if (given.usage_reported) answer.SetUsage(given.usage);
  answer.SetIdentity(given.response_id, given.model);
  answer.Finish(given.finish_reason);
  return answer.Take();
}

io::Task<absl::StatusOr<ChatResponse>> SourceModel::Try(const ChatRequest& request,
                                                        const CallContext& context, DeltaSink* sink,
                                                        bool* delivered) {
  std::optional<NotingSink> noting;
  if (sink != nullptr) noting.emplace(*sink, *delivered);
  auto answer = co_await source_->Complete(request, context, noting ? &*noting : nullptr);
  if (answer.ok()) answer = Admit(*std::move(answer));
  if (answer.ok()) co_return answer;
  if (context.cancel.cancelled()) co_return context.cancel.status();
  Fault fault;
  fault.reason = ReasonOf(answer.status());
  fault.message = talon::Message(answer.status());
  fault.too_large =
      absl::IsResourceExhausted(answer.status()) && fault.reason == ErrorReason::kTransport;
  if (const long ms = RetryAfterMsOf(answer.status()); ms > 0) {
    fault.retry_after = std::chrono::milliseconds(ms);
  }
  co_return FaultStatus(fault, {provider(), request.model}, redactor_);
}

}  // namespace talon::model
