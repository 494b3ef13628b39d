// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "answer.h"
#include "base/json.h"
#include "io/sse.h"

namespace talon::mockllm {
namespace {

constexpr std::string_view kSignature = "bW9jaw==";  // what proves a thinking block

std::string StopOf(const Answer& answer) {
  if (!answer.finish.empty()) return answer.finish;
  return answer.calls.empty() ? "end_turn" : "tool_use";
}

Json AnthropicUsage(const Usage& usage) {
  return {{"input_tokens", usage.input - usage.cached},
          {"cache_read_input_tokens", usage.cached},
          {"cache_creation_input_tokens", 0},
          {"output_tokens", usage.output}};
}

Json MessageOf(const Identity& identity, Json content, Json stop, Json usage) {
  return {{"id", identity.response_id}, {"type", "message"},        {"role", "assistant"},
          {"model", identity.model},    {"content", content},       {"stop_reason", stop},
          {"stop_sequence", nullptr},   {"usage", std::move(usage)}};
}

class EventWriter {
 public:
  void Add(const std::string& type, Json body) {
    body["type"] = type;
    events_.push_back(io::FormatSse(type, DumpJson(body)));
  }
  void Block(const Json& start, const std::vector<Json>& deltas) {
    Add("content_block_start", {{"index", index_}, {"content_block", start}});
    for (const Json& delta : deltas) {
      Add("content_block_delta", {{"index", index_}, {"delta", delta}});
    }
    Add("content_block_stop", {{"index", index_}});
    ++index_;
  }
  std::vector<std::string> Take() { return std::move(events_); }

 private:
  std::vector<std::string> events_;
  int index_ = 0;
};

}  // namespace

std::string WholeAnthropic(const Answer& answer, const Identity& identity) {
  Json content = Json::array();
  if (!answer.reasoning.empty()) {
    content.push_back(
        {{"type", "thinking"}, {"thinking", answer.reasoning}, {"signature", kSignature}});
  }
  if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
  for (const Call& call : answer.calls) {
    content.push_back(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.tool}, {"input", ArgumentsOf(call)}});
  }
  return DumpJson(MessageOf(identity, content, StopOf(answer), AnthropicUsage(answer.usage)));
}

std::vector<std::string> EventsAnthropic(const Answer& answer, const Identity& identity,
                                         const Delivery& delivery) {
  EventWriter out;
  Json usage = AnthropicUsage(answer.usage);
  usage["output_tokens"] = 1;
  out.Add("message_start",
          {{"message", MessageOf(identity, Json::array(), nullptr, std::move(usage))}});
  std::vector<Json> deltas;
  if (!answer.reasoning.empty()) {
    for (const std::string& piece : Pieces(answer.reasoning, delivery.text_bytes)) {
      deltas.push_back({{"type", "thinking_delta"}, {"thinking", piece}});
    }
    deltas.push_back({{"type", "signature_delta"}, {"signature", kSignature}});
    out.Block({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, deltas);
  }
  out.Add("ping", Json::object());
  if (!answer.text.empty()) {
    deltas.clear();
    for (const std::string& piece : Pieces(answer.text, delivery.text_bytes)) {
      deltas.push_back({{"type", "text_delta"}, {"text", piece}});
    }
    out.Block({{"type", "text"}, {"text", ""}}, deltas);
  }
  for (const Call& call : answer.calls) {
    deltas.clear();
    for (const std::string& piece : Pieces(call.args, delivery.argument_bytes)) {
      deltas.push_back({{"type", "input_json_delta"}, {"partial_json", piece}});
    }
    out.Block(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.tool}, {"input", Json::object()}},
        deltas);
  }
  out.Add("message_delta",
          {{"delta", {{"stop_reason", StopOf(answer)}, {"stop_sequence", nullptr}}},
           {"usage", {{"output_tokens", answer.usage.output}}}});
  out.Add("message_stop", Json::object());
  return out.Take();
}

std::string ErrorAnthropic(const Fault& fault) {
  std::string type = fault.type;
  std::string message = fault.message;
  auto usual = [&](std::string_view usual_type, std::string_view usual_message) {
    if (type.empty()) type = usual_type;
    if (message.empty()) message = usual_message;
  };
  if (fault.status == 401) usual("authentication_error", "invalid x-api-key");
  if (fault.status == 402) usual("billing_error", "Your credit balance is too low.");
  if (fault.status == 404) usual("not_found_error", "model: not found");
  if (fault.status == 429) usual("rate_limit_error", "Number of requests has exceeded the limit.");
  if (fault.status == 529) usual("overloaded_error", "Overloaded");
  if (fault.status >= 500) usual("api_error", "Internal server error");
  usual("invalid_request_error", "The request was refused.");
  return DumpJson({{"type", "error"}, {"error", {{"type", type}, {"message", message}}}});
}

}  // namespace talon::mockllm
