// SPDX-License-Identifier: Apache-2.0
#include "model/answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/digest.h"
#include "base/text.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxNameBytes = 256;  // of ids, names and model names

std::string MakeCallId() {
  return "call_" + RandomHex(12);
}

}  // namespace

Answer::Answer(std::string provider, DeltaSink* sink, AnswerLimits limits)
    : provider_(std::move(provider)), sink_(sink), limits_(limits) {
  response_.message.role = Role::kAssistant;
  response_.message.label.integrity = Integrity::kUntrusted;
}

bool Answer::Fits(std::size_t bytes) {
  if (!overflow_.empty()) return false;
  bytes_ += bytes;
  if (bytes_ <= limits_.max_bytes) return true;
  overflow_ = fmt::format("the answer is larger than {} bytes (max_answer)", limits_.max_bytes);
  return false;
}

void Answer::AddText(std::string_view text) {
  if (text.empty() || !Fits(text.size())) return;
  reasoning_open_ = false;
  std::vector<Part>& parts = response_.message.parts;
  if (parts.empty() || !std::holds_alternative<TextPart>(parts.back())) {
    parts.emplace_back(TextPart{});
  }
  std::get<TextPart>(parts.back()).text += text;
  if (sink_ == nullptr) return;
  delivered_ = true;
  sink_->OnText(text);
}

void Answer::AddReasoning(std::string_view text) {
  if (text.empty() || !Fits(text.size())) return;
  std::vector<Part>& parts = response_.message.parts;
  if (!reasoning_open_) parts.emplace_back(ReasoningPart{.provider = provider_});
  reasoning_open_ = true;
  std::get<ReasoningPart>(parts.back()).text += text;
  if (sink_ == nullptr) return;
  delivered_ = true;
  sink_->OnReasoning(text);
}

void Answer::SignReasoning(std::string_view signature) {
  if (signature.empty() || !Fits(signature.size())) return;
  std::vector<Part>& parts = response_.message.parts;
  if (!reasoning_open_) parts.emplace_back(ReasoningPart{.provider = provider_});
  std::get<ReasoningPart>(parts.back()).signature += signature;
  reasoning_open_ = false;
}

void Answer::AddRedactedReasoning(std::string_view data) {
  if (data.empty() || !Fits(data.size())) return;
  reasoning_open_ = false;
  response_.message.parts.emplace_back(
      ReasoningPart{.redacted = std::string(data), .provider = provider_});
}

int Answer::BeginCall() {
  if (!overflow_.empty()) return kNoCall;
  if (calls_.size() >= limits_.max_calls) {
    overflow_ =
        fmt::format("the answer has more than {} tool calls (max_tool_calls)", limits_.max_calls);
    return kNoCall;
  }
  reasoning_open_ = false;
  calls_.push_back(response_.message.parts.size());
  response_.message.parts.emplace_back(ToolCall{});
  return call_count() - 1;
}

ToolCall& Answer::Call(int index) {
  TALON_CHECK(index >= 0 && index < call_count());
  return std::get<ToolCall>(response_.message.parts[calls_[static_cast<std::size_t>(index)]]);
}

const ToolCall& Answer::call(int index) const {
  return const_cast<Answer*>(this)->Call(index);
}

void Answer::SetCallId(int index, std::string_view id) {
  if (index == kNoCall || id.empty() || !Call(index).id.empty()) return;
  bool taken = id.size() > kMaxNameBytes;
  for (int other = 0; other < call_count(); ++other) taken = taken || Call(other).id == id;
  Call(index).id = taken ? MakeCallId() : std::string(id);
}

void Answer::SetCallName(int index, std::string_view name) {
  if (index == kNoCall || name.empty() || !Call(index).name.empty()) return;
  Call(index).name = TruncateUtf8(name, kMaxNameBytes);
  if (Call(index).id.empty()) Call(index).id = MakeCallId();
  if (sink_ == nullptr) return;
  delivered_ = true;
  sink_->OnToolCall(index, Call(index).id, Call(index).name);
}

void Answer::SetCallSignature(int index, std::string_view signature) {
  if (index == kNoCall || !Fits(signature.size())) return;
  Call(index).signature = signature;
}

void Answer::AddCallArguments(int index, std::string_view fragment) {
  if (index == kNoCall || !Fits(fragment.size())) return;
  Call(index).arguments += fragment;
}

void Answer::AddLogprob(std::string_view json) {
  if (!Fits(json.size() + 1)) return;
  std::string& all = response_.logprobs;
  all += all.empty() ? R"({"content":[)" : ",";
  all += json;
}

void Answer::SetUsage(const Usage& usage) {
  response_.usage = usage;
  response_.usage_reported = true;
}

void Answer::SetIdentity(std::string_view response_id, std::string_view model) {
  if (response_.response_id.empty()) {
    response_.response_id = TruncateUtf8(response_id, kMaxNameBytes);
  }
  if (response_.model.empty()) response_.model = TruncateUtf8(model, kMaxNameBytes);
}

void Answer::Finish(FinishReason reason) {
  response_.finish_reason = reason;
  finished_ = true;
}

ChatResponse Answer::Take() {
  if (!response_.logprobs.empty()) response_.logprobs += "]}";
  bool has_calls = false;
  std::erase_if(response_.message.parts, [&has_calls](Part& part) {
    auto* call = std::get_if<ToolCall>(&part);
    if (call == nullptr) return false;
    if (call->name.empty() && TrimSpace(call->arguments).empty()) return true;
    if (call->id.empty()) call->id = MakeCallId();
    if (TrimSpace(call->arguments).empty()) call->arguments = "{}";
    has_calls = true;
    return false;
  });
  calls_.clear();
  FinishReason& finish = response_.finish_reason;
  if (has_calls && finish == FinishReason::kStop) finish = FinishReason::kToolCalls;
  if (!has_calls && finish == FinishReason::kToolCalls) finish = FinishReason::kStop;
  return std::move(response_);
}

}  // namespace talon::model
