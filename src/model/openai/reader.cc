// SPDX-License-Identifier: Apache-2.0
#include "model/openai/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/json_text.h"
#include "model/openai/reasoning_field.h"

namespace talon::model {
namespace {

const Json* Present(const Json& object, std::string_view key) {
  const Json* found = JsonFind(object, key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

}  // namespace

std::optional<Fault> OpenAiReader::Read(const Json& document, Answer& answer) {
  answer.SetIdentity(TextAt(document, "id"), TextAt(document, "model"));
  if (const Json* usage = Present(document, "usage")) ReadUsage(*usage, answer);
  if (const Json* groq = Present(document, "x_groq")) {
    if (const Json* usage = Present(*groq, "usage")) ReadUsage(*usage, answer);
  }
  const Json* choices = Present(document, "choices");
  if (choices == nullptr || !choices->is_array()) return std::nullopt;
  for (const Json& choice : *choices) {
    if (!choice.is_object() || JsonInt(choice, "index") != 0) continue;
    if (const Json* usage = Present(choice, "usage")) ReadUsage(*usage, answer);
    const Json* delta = Present(choice, "delta");
    if (delta == nullptr) delta = Present(choice, "message");
    if (delta != nullptr && delta->is_object()) ReadDelta(*delta, answer);
    const Json* logprobs = Present(choice, "logprobs");
    const Json* tokens = logprobs == nullptr ? nullptr : Present(*logprobs, "content");
    if (tokens != nullptr && tokens->is_array()) {
      for (const Json& token : *tokens) answer.AddLogprob(DumpJson(token));
    }
    std::string_view reason = TextAt(choice, "finish_reason");
    if (reason.empty()) continue;
    EndReasoning(answer);
    if (auto fault = ReadFinish(reason, answer)) return fault;
  }
  return std::nullopt;
}

void OpenAiReader::ReadUsage(const Json& json, Answer& answer) {
  if (!json.is_object()) return;
  Usage usage{.input_tokens = CountAt(json, "prompt_tokens"),
              .output_tokens = CountAt(json, "completion_tokens")};
  usage.cached_input_tokens =
      std::max(CountAt(json, "prompt_cache_hit_tokens"), CountAt(json, "cached_tokens"));
  if (const Json* details = Present(json, "prompt_tokens_details")) {
    usage.cached_input_tokens =
        std::max(usage.cached_input_tokens, CountAt(*details, "cached_tokens"));
    usage.cache_write_tokens = CountAt(*details, "cache_write_tokens");
  }
  if (const Json* details = Present(json, "completion_tokens_details")) {
    usage.reasoning_tokens = CountAt(*details, "reasoning_tokens");
  }
  // xAI counts reasoning beside the completion; OpenAI within it.
  bool beside = usage.reasoning_tokens > 0 &&
                CountAt(json, "total_tokens") ==
                    usage.input_tokens + usage.output_tokens + usage.reasoning_tokens;
  if (beside) usage.output_tokens += usage.reasoning_tokens;
  bool says_something = usage.input_tokens > 0 || usage.output_tokens > 0;
  if (says_something) answer.SetUsage(usage);
}

void OpenAiReader::ReadDelta(const Json& delta, Answer& answer) {
  std::string_view own = TextAt(delta, kReasoningContent);
  ReadReasoning(own.empty() ? TextAt(delta, "reasoning") : own, !own.empty(), answer);
  if (const Json* content = Present(delta, "content")) ReadContent(*content, answer);
  std::string_view refusal = TextAt(delta, "refusal");
  if (!refusal.empty()) EndReasoning(answer);
  answer.AddText(refusal);
  const Json* calls = Present(delta, "tool_calls");
  if (calls != nullptr && calls->is_array()) {
    for (const Json& call : *calls) ReadCall(call, answer);
  } else if (calls != nullptr) {
    ReadCall(*calls, answer);
  }
  if (const Json* function = Present(delta, "function_call")) {  // before tool_calls existed
    ReadCall(Json{{"index", 0}, {"function", *function}}, answer);
  }
}

void OpenAiReader::ReadReasoning(std::string_view text, bool own_field, Answer& answer) {
  if (text.empty()) return;
  answer.AddReasoning(text);
  reasoning_signed_late_ = own_field;
}

void OpenAiReader::EndReasoning(Answer& answer) {
  if (!reasoning_signed_late_) return;
  reasoning_signed_late_ = false;
  answer.SignReasoning(kReasoningContent);
}

void OpenAiReader::ReadContent(const Json& content, Answer& answer) {
  if (content.is_string()) {
    std::string_view text = content.get_ref<const std::string&>();
    if (!text.empty()) EndReasoning(answer);
    answer.AddText(text);
    return;
  }
  if (!content.is_array()) return;
  for (const Json& part : content) {
    if (part.is_string()) {
      ReadContent(part, answer);
    } else if (const Json* thinking = Present(part, "thinking"); thinking != nullptr) {  // Mistral
      if (thinking->is_string()) {
        answer.AddReasoning(thinking->get_ref<const std::string&>());
      } else if (thinking->is_array()) {
        for (const Json& piece : *thinking) answer.AddReasoning(TextAt(piece, "text"));
      }
    } else if (std::string_view text = TextAt(part, "text"); !text.empty()) {
      EndReasoning(answer);
      answer.AddText(text);
    }
  }
}

int OpenAiReader::FindCall(const Json& call, Answer& answer) {
  std::string id = JsonString(call, "id");
  long index = JsonInt(call, "index", -1);
  const Json* function = Present(call, "function");
  std::string_view name = function == nullptr ? std::string_view() : TextAt(*function, "name");
  // The latest of an index counts: it may have been given twice.
  for (std::size_t i = calls_.size(); i-- > 0;) {
    Known& known = calls_[i];
    if (index >= 0 && known.index != index) continue;
    if (index < 0 && !id.empty() && known.id != id) continue;
    if (!name.empty()) {
      const ToolCall& begun = answer.call(static_cast<int>(i));
      bool another_id = !id.empty() && !known.id.empty() && known.id != id;
      bool another_name = index < 0 || begun.name != name || IsJsonObject(begun.arguments);
      if (another_id || (id.empty() && another_name)) break;
    }
    if (known.id.empty()) known.id = std::move(id);
    return static_cast<int>(i);
  }
  int begun = answer.BeginCall();
  if (begun != Answer::kNoCall) calls_.push_back({index, std::move(id)});
  return begun;
}

void OpenAiReader::ReadCall(const Json& call, Answer& answer) {
  if (!call.is_object()) return;
  EndReasoning(answer);
  int position = FindCall(call, answer);
  if (position == Answer::kNoCall) return;
  answer.SetCallId(position, TextAt(call, "id"));
  const Json* extra = Present(call, "extra_content");
  const Json* google = extra == nullptr ? nullptr : Present(*extra, "google");
  if (google != nullptr) answer.SetCallSignature(position, TextAt(*google, "thought_signature"));
  const Json* function = Present(call, "function");
  ReadFunction(position, function == nullptr ? call : *function, answer);
}

void OpenAiReader::ReadFunction(int call, const Json& function, Answer& answer) {
  answer.SetCallName(call, TextAt(function, "name"));
  const Json* arguments = Present(function, "arguments");
  if (arguments == nullptr) return;
  if (arguments->is_string()) {
    answer.AddCallArguments(call, arguments->get_ref<const std::string&>());
  } else if (answer.call(call).arguments.empty()) {
    answer.AddCallArguments(call, DumpJson(*arguments));
  }
}

std::optional<Fault> OpenAiReader::ReadFinish(std::string_view reason, Answer& answer) {
  if (reason == "error" || reason == "abort" || reason == "insufficient_system_resource") {
    Fault fault;
    fault.reason = reason == "insufficient_system_resource" ? ErrorReason::kOverloaded
                                                            : ErrorReason::kTransport;
    fault.message = fmt::format("the server ended the answer with finish_reason '{}'", reason);
    return fault;
  }
  if (reason == "length" || reason == "max_tokens" || reason == "model_length") {
    answer.Finish(FinishReason::kLength);
  } else if (reason == "tool_calls" || reason == "function_call" || reason == "tool_use") {
    answer.Finish(FinishReason::kToolCalls);
  } else if (reason == "content_filter") {
    answer.Finish(FinishReason::kContentFilter);
  } else {
    answer.Finish(FinishReason::kStop);
  }
  return std::nullopt;
}

}  // namespace talon::model
