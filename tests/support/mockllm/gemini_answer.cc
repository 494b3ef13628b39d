// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "answer.h"
#include "base/json.h"
#include "io/sse.h"

namespace talon::mockllm {
namespace {

std::string GeminiFinish(const Answer& answer) {
  return answer.finish.empty() ? "STOP" : answer.finish;
}

Json GeminiUsage(const Usage& usage) {
  return {{"promptTokenCount", usage.input},
          {"candidatesTokenCount", usage.output - usage.reasoning},
          {"thoughtsTokenCount", usage.reasoning},
          {"cachedContentTokenCount", usage.cached},
          {"totalTokenCount", usage.input + usage.output}};
}

Json PartOf(const Call& call) {
  return {{"functionCall", {{"name", call.tool}, {"args", ArgumentsOf(call)}}}};
}

Json Response(const Identity& identity, Json parts, Json finish, Json usage) {
  Json candidate = {{"content", {{"role", "model"}, {"parts", std::move(parts)}}}, {"index", 0}};
  if (!finish.is_null()) candidate["finishReason"] = finish;
  return {{"candidates", Json::array({candidate})},
          {"usageMetadata", std::move(usage)},
          {"modelVersion", identity.model},
          {"responseId", identity.response_id}};
}

}  // namespace

std::string WholeGoogle(const Answer& answer, const Identity& identity) {
  Json parts = Json::array();
  if (!answer.reasoning.empty()) parts.push_back({{"text", answer.reasoning}, {"thought", true}});
  if (!answer.text.empty()) parts.push_back({{"text", answer.text}});
  for (const Call& call : answer.calls) parts.push_back(PartOf(call));
  return DumpJson(Response(identity, parts, GeminiFinish(answer), GeminiUsage(answer.usage)));
}

std::vector<std::string> EventsGoogle(const Answer& answer, const Identity& identity,
                                      const Delivery& delivery) {
  std::vector<std::string> events;
  const Json early = {{"promptTokenCount", answer.usage.input}};
  auto add = [&](const Json& part, const Json& finish, const Json& usage) {
    const Json document = Response(identity, Json::array({part}), finish, usage);
    events.push_back(io::FormatSse("", DumpJson(document)));
  };
  for (const std::string& piece : Pieces(answer.reasoning, delivery.text_bytes)) {
    add({{"text", piece}, {"thought", true}}, nullptr, early);
  }
  for (const std::string& piece : Pieces(answer.text, delivery.text_bytes)) {
    add(Json{{"text", piece}}, nullptr, early);
  }
  // Arguments come whole on this wire.
  for (const Call& call : answer.calls) add(PartOf(call), nullptr, early);
  add(Json{{"text", ""}}, GeminiFinish(answer), GeminiUsage(answer.usage));
  return events;
}

std::string ErrorGoogle(const Fault& fault) {
  std::string status = fault.type;
  std::string message = fault.message;
  auto usual = [&](std::string_view usual_status, std::string_view usual_message) {
    if (status.empty()) status = usual_status;
    if (message.empty()) message = usual_message;
  };
  if (fault.status == 401) usual("UNAUTHENTICATED", "API key not valid.");
  if (fault.status == 402) usual("FAILED_PRECONDITION", "Billing is not active.");
  if (fault.status == 404) usual("NOT_FOUND", "models/none is not found.");
  if (fault.status == 429) usual("RESOURCE_EXHAUSTED", "Resource has been exhausted.");
  if (fault.status == 503 || fault.status == 529) usual("UNAVAILABLE", "The model is overloaded.");
  if (fault.status >= 500) usual("INTERNAL", "Internal error encountered.");
  usual("INVALID_ARGUMENT", "Request contains an invalid argument.");
  return DumpJson({{"error", {{"code", fault.status}, {"message", message}, {"status", status}}}});
}

}  // namespace talon::mockllm
