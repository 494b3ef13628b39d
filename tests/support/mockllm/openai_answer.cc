// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "answer.h"
#include "base/json.h"
#include "base/text.h"
#include "io/sse.h"

namespace talon::mockllm {
namespace {

std::string OpenAiFinish(const Answer& answer) {
  if (!answer.finish.empty()) return answer.finish;
  return answer.calls.empty() ? "stop" : "tool_calls";
}

Json OpenAiUsage(const Usage& usage) {
  return {{"prompt_tokens", usage.input},
          {"completion_tokens", usage.output},
          {"total_tokens", usage.input + usage.output},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning}}}};
}

Json CallOf(const Call& call, std::string arguments) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.tool}, {"arguments", std::move(arguments)}}}};
}

}  // namespace

std::vector<std::string> Pieces(std::string_view text, int bytes) {
  std::vector<std::string> pieces;
  const std::size_t most = bytes > 0 ? static_cast<std::size_t>(bytes) : text.size();
  while (!text.empty()) {
    std::string_view piece = TruncateUtf8(text, most);
    if (piece.empty()) piece = TruncateUtf8(text, 4);  // a character larger than a piece
    if (piece.empty()) piece = text;
    pieces.emplace_back(piece);
    text.remove_prefix(piece.size());
  }
  return pieces;
}

Json ArgumentsOf(const Call& call) {
  auto parsed = ParseJson(call.args, "arguments");
  return parsed.ok() && parsed->is_object() ? *std::move(parsed) : Json::object();
}

std::string WholeOpenAi(const Answer& answer, const Identity& identity) {
  Json message = {{"role", "assistant"}, {"content", answer.text}};
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  for (const Call& call : answer.calls) message["tool_calls"].push_back(CallOf(call, call.args));
  if (answer.text.empty() && !answer.calls.empty()) message["content"] = nullptr;
  Json choice = {{"index", 0}, {"message", message}, {"finish_reason", OpenAiFinish(answer)}};
  return DumpJson({{"id", identity.response_id},
                   {"object", "chat.completion"},
                   {"created", 1},
                   {"model", identity.model},
                   {"choices", Json::array({choice})},
                   {"usage", OpenAiUsage(answer.usage)}});
}

std::vector<std::string> EventsOpenAi(const Answer& answer, const Identity& identity,
                                      const Delivery& delivery, bool include_usage) {
  std::vector<std::string> events;
  Json chunk = {{"id", identity.response_id},
                {"object", "chat.completion.chunk"},
                {"created", 1},
                {"model", identity.model}};
  auto add = [&](Json delta, Json finish) {
    Json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", finish}};
    chunk["choices"] = Json::array({choice});
    events.push_back(io::FormatSse("", DumpJson(chunk)));
  };
  add({{"role", "assistant"}, {"content", ""}}, nullptr);
  for (const std::string& piece : Pieces(answer.reasoning, delivery.text_bytes)) {
    add({{"reasoning_content", piece}}, nullptr);
  }
  for (const std::string& piece : Pieces(answer.text, delivery.text_bytes)) {
    add({{"content", piece}}, nullptr);
  }
  for (std::size_t i = 0; i < answer.calls.size(); ++i) {
    const Call& call = answer.calls[i];
    std::vector<std::string> parts = Pieces(call.args, delivery.argument_bytes);
    const bool whole = delivery.argument_bytes == 0;
    Json first = CallOf(call, whole && !parts.empty() ? parts.front() : "");
    first["index"] = i;
    add({{"tool_calls", Json::array({first})}}, nullptr);
    if (whole) continue;
    for (const std::string& part : parts) {
      Json next = {{"index", i}, {"function", {{"arguments", part}}}};
      add({{"tool_calls", Json::array({next})}}, nullptr);
    }
  }
  add(Json::object(), OpenAiFinish(answer));
  if (include_usage) {
    chunk["choices"] = Json::array();
    chunk["usage"] = OpenAiUsage(answer.usage);
    events.push_back(io::FormatSse("", DumpJson(chunk)));
  }
  events.push_back(io::FormatSse("", "[DONE]"));
  return events;
}

std::string ErrorOpenAi(const Fault& fault) {
  std::string type = fault.type;
  std::string message = fault.message;
  auto usual = [&](std::string_view usual_type, std::string_view usual_message) {
    if (type.empty()) type = usual_type;
    if (message.empty()) message = usual_message;
  };
  if (fault.status == 401) usual("invalid_api_key", "Incorrect API key provided.");
  if (fault.status == 402) usual("insufficient_quota", "You have run out of credits.");
  if (fault.status == 404) usual("model_not_found", "The model does not exist.");
  if (fault.status == 429) usual("rate_limit_exceeded", "Rate limit reached.");
  if (fault.status >= 500) usual("server_error", "The server had an error.");
  usual("invalid_request_error", "The request was refused.");
  return DumpJson(
      {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", type}}}});
}

}  // namespace talon::mockllm
