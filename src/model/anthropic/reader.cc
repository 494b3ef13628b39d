// SPDX-License-Identifier: Apache-2.0
#include "model/anthropic/reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/json_text.h"

namespace talon::model {
std::optional<Fault> AnthropicReader::Read(const Json& document, Answer& answer) {
  std::string_view type = TextAt(document, "type");
  long index = JsonInt(document, "index", -1);
  const Json* delta = JsonFind(document, "delta");
  if (type == "content_block_delta" && delta != nullptr) {
    ReadDelta(index, *delta, answer);
  } else if (type == "content_block_start") {
    if (const Json* block = JsonFind(document, "content_block")) BeginBlock(index, *block, answer);
  } else if (type == "content_block_stop") {
    EndBlock(index, answer);
  } else if (type == "message_start") {
    if (const Json* message = JsonFind(document, "message")) ReadMessage(*message, answer);
  } else if (type == "message_delta") {
    if (const Json* usage = JsonFind(document, "usage")) ReadUsage(*usage, answer);
    if (delta != nullptr) ReadStop(*delta, answer);
  } else if (type == "message_stop") {
    if (!answer.finished()) answer.Finish(FinishReason::kStop);
  } else if (type == "message") {
    ReadMessage(document, answer);
  }
  return std::nullopt;
}

void AnthropicReader::ReadMessage(const Json& message, Answer& answer) {
  answer.SetIdentity(TextAt(message, "id"), TextAt(message, "model"));
  const Json* content = JsonFind(message, "content");
  if (content != nullptr && content->is_array()) {
    for (const Json& block : *content) {
      BeginBlock(-1, block, answer);
      EndBlock(-1, answer);
    }
  }
  if (const Json* usage = JsonFind(message, "usage")) ReadUsage(*usage, answer);
  ReadStop(message, answer);
}

void AnthropicReader::BeginBlock(long index, const Json& block, Answer& answer) {
  std::string_view type = TextAt(block, "type");
  if (type == "text") {
    answer.AddText(TextAt(block, "text"));
  } else if (type == "thinking") {
    answer.AddReasoning(TextAt(block, "thinking"));
    answer.SignReasoning(TextAt(block, "signature"));
  } else if (type == "redacted_thinking") {
    answer.AddRedactedReasoning(TextAt(block, "data"));
  } else if (type == "tool_use") {
    int call = answer.BeginCall();
    if (call == Answer::kNoCall) return;
    answer.SetCallId(call, TextAt(block, "id"));
    answer.SetCallName(call, TextAt(block, "name"));
    const Json* input = JsonFind(block, "input");
    open_.push_back({index, call, input == nullptr || input->is_null() ? "" : DumpJson(*input)});
  }
}

int AnthropicReader::CallOf(long index) const {
  auto found = std::find_if(open_.rbegin(), open_.rend(),
                            [index](const OpenCall& open) { return open.index == index; });
  return found == open_.rend() ? Answer::kNoCall : found->call;
}

void AnthropicReader::ReadDelta(long index, const Json& delta, Answer& answer) {
  std::string_view type = TextAt(delta, "type");
  if (type == "text_delta") {
    answer.AddText(TextAt(delta, "text"));
  } else if (type == "input_json_delta") {
    answer.AddCallArguments(CallOf(index), TextAt(delta, "partial_json"));
  } else if (type == "thinking_delta") {
    answer.AddReasoning(TextAt(delta, "thinking"));
  } else if (type == "signature_delta") {
    answer.SignReasoning(TextAt(delta, "signature"));
  }
}

void AnthropicReader::EndBlock(long index, Answer& answer) {
  auto found = std::find_if(open_.rbegin(), open_.rend(),
                            [index](const OpenCall& open) { return open.index == index; });
  if (found == open_.rend()) return;
  if (answer.call(found->call).arguments.empty()) {
    answer.AddCallArguments(found->call, found->input);
  }
  open_.erase(std::next(found).base());
}

void AnthropicReader::ReadUsage(const Json& usage, Answer& answer) {
  if (!usage.is_object()) return;
  // Each event gives some of the counts, cumulative; null and absent ones keep what was said
  // before.
  auto update = [&usage](std::int64_t& count, std::string_view key) {
    const Json* said = JsonFind(usage, key);
    if (said != nullptr && said->is_number()) count = CountAt(usage, key);
  };
  update(fresh_, "input_tokens");
  update(read_, "cache_read_input_tokens");
  update(written_, "cache_creation_input_tokens");
  update(output_, "output_tokens");
  answer.SetUsage({.input_tokens = fresh_ + read_ + written_,
                   .output_tokens = output_,
                   .cached_input_tokens = read_,
                   .cache_write_tokens = written_});
}

void AnthropicReader::ReadStop(const Json& holder, Answer& answer) {
  std::string_view reason = TextAt(holder, "stop_reason");
  if (reason.empty()) return;
  if (reason == "tool_use") {
    answer.Finish(FinishReason::kToolCalls);
  } else if (reason == "max_tokens" || reason == "model_context_window_exceeded") {
    answer.Finish(FinishReason::kLength);
  } else if (reason == "refusal") {
    answer.Finish(FinishReason::kContentFilter);
  } else {
    answer.Finish(FinishReason::kStop);  // end_turn, stop_sequence, pause_turn
  }
}

}  // namespace talon::model
