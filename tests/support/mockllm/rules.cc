// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include "answer.h"
#include "instructions.h"
#include "replay.h"

namespace talon::mockllm {
namespace {

bool TextFits(const std::optional<std::string>& wanted, const std::string& text) {
  if (!wanted) return true;
  if (wanted->size() > 2 && wanted->starts_with('/') && wanted->ends_with('/')) {
    return re2::RE2::PartialMatch(text, re2::RE2(wanted->substr(1, wanted->size() - 2)));
  }
  return text.find(*wanted) != std::string::npos;
}

bool Same(const std::optional<std::string>& wanted, std::string_view value) {
  return !wanted || *wanted == value;
}

bool Offers(const ModelRequest& request, const std::optional<std::string>& tool) {
  if (!tool) return true;
  return std::find(request.tools.begin(), request.tools.end(), *tool) != request.tools.end();
}

}  // namespace

Reply FaultReply(Wire wire, const Fault& fault) {
  Reply reply;
  reply.status = fault.status;
  reply.headers.Set("Content-Type", "application/json");
  for (const auto& [name, value] : fault.headers) reply.headers.Set(name, value);
  std::string body = fault.body;
  if (body.empty()) {
    body = wire == Wire::kOpenAi      ? ErrorOpenAi(fault)
           : wire == Wire::kAnthropic ? ErrorAnthropic(fault)
                                      : ErrorGoogle(fault);
  }
  reply.pieces = {std::move(body)};
  return reply;
}

ScriptRun::ScriptRun(Script script)
    : script_(std::move(script)),
      rule_uses_(script_.rules.size()),
      exchange_uses_(script_.exchanges.size()) {}

bool ScriptRun::Fits(const Match& match, const ModelRequest& request) const {
  if (match.round && *match.round != request.round) return false;
  if (match.first_request && requests_ < *match.first_request) return false;
  if (match.last_request && requests_ > *match.last_request) return false;
  if (match.stream && *match.stream != request.stream) return false;
  if (match.after_tool && *match.after_tool != request.ends_with_result) return false;
  if (match.tool_result && !request.ends_with_result) return false;
  return Same(match.model, request.model) && Same(match.key, request.key) &&
         Same(match.wire, WireName(request.wire)) && Offers(request, match.tool) &&
         TextFits(match.user, request.user) && TextFits(match.tool_result, request.tool_result) &&
         TextFits(match.system, request.system);
}

Reply ScriptRun::Decide(const io::ServerRequest& http, const Json& body,
                        const ModelRequest& request) {
  ++requests_;
  const auto& keys = script_.keys;
  if (!keys.empty() && std::find(keys.begin(), keys.end(), request.key) == keys.end()) {
    Fault fault;
    fault.status = 401;
    Reply reply = FaultReply(request.wire, fault);
    reply.source = "keys";
    return reply;
  }
  for (std::size_t i = 0; i < script_.exchanges.size(); ++i) {
    const Exchange& exchange = script_.exchanges[i];
    const bool left = exchange.times == kNever || exchange_uses_[i] < exchange.times;
    if (!left || !mockllm::Fits(exchange, http, body)) continue;
    ++exchange_uses_[i];
    Reply reply{.status = exchange.status, .pieces = exchange.pieces};
    reply.streamed = exchange.streamed;
    reply.headers.Set("Content-Type", exchange.streamed ? "text/event-stream" : "application/json");
    for (const auto& [name, value] : exchange.headers) reply.headers.Set(name, value);
    reply.delivery = exchange.delivery;
    reply.source = fmt::format("exchange {}", i + 1);
    return reply;
  }
  for (std::size_t i = 0; i < script_.rules.size(); ++i) {
    const Rule& rule = script_.rules[i];
    const bool left = rule.times == kNever || rule_uses_[i] < rule.times;
    if (!left || !Fits(rule.match, request)) continue;
    ++rule_uses_[i];
    Reply reply = ByRule(rule, request);
    reply.source = fmt::format("rule {}", i + 1);
    return reply;
  }
  return Otherwise(request);
}

Reply ScriptRun::ByRule(const Rule& rule, const ModelRequest& request) {
  if (!rule.fault) return Give(rule.answer, request, rule.delivery);
  Reply reply = FaultReply(request.wire, *rule.fault);
  reply.delivery = rule.delivery;
  return reply;
}

Reply ScriptRun::Otherwise(const ModelRequest& request) {
  Reply reply;
  if (script_.mode == Mode::kEcho) {
    Answer answer;
    answer.text = request.ends_with_result ? request.tool_result : request.user;
    reply = Give(std::move(answer), request, script_.delivery);
    reply.source = "echo";
  } else if (script_.mode == Mode::kObedient) {
    Answer answer;
    answer.calls = FindCalls(request.ends_with_result ? request.tool_result : request.user);
    if (answer.calls.empty()) answer.text = "nothing left to obey";
    reply = Give(std::move(answer), request, script_.delivery);
    reply.source = "obedient";
  } else {
    Fault fault;
    fault.status = 400;
    fault.message =
        fmt::format("mockllm: nothing in the script fits request {} (user '{}', round {})",
                    requests_, request.user.substr(0, 100), request.round);
    reply = FaultReply(request.wire, fault);
    reply.source = "nothing";
  }
  return reply;
}

// {{user}}, {{tool_result}}, {{model}}, {{round}}, {{messages}}, {{request}}.
void ScriptRun::Fill(std::string& text, const ModelRequest& request) const {
  if (text.find("{{") == std::string::npos) return;
  const std::pair<std::string_view, std::string> values[] = {
      {"{{user}}", request.user},
      {"{{tool_result}}", request.tool_result},
      {"{{model}}", request.model},
      {"{{round}}", std::to_string(request.round)},
      {"{{messages}}", std::to_string(request.messages)},
      {"{{request}}", std::to_string(requests_)}};
  for (const auto& [name, value] : values) {
    for (std::size_t at = text.find(name); at != std::string::npos;
         at = text.find(name, at + value.size())) {
      text.replace(at, name.size(), value);
    }
  }
}

Reply ScriptRun::Give(Answer answer, const ModelRequest& request, const Delivery& delivery) {
  Fill(answer.text, request);
  for (Call& call : answer.calls) {
    Fill(call.args, request);
    if (call.id.empty()) call.id = fmt::format("call_mock_{}", ++calls_);
  }
  const Identity identity{.response_id = fmt::format("resp-mock-{}", requests_),
                          .model = request.model};
  Reply reply;
  reply.delivery = delivery;
  reply.streamed = request.stream;
  reply.headers.Set("Content-Type", request.stream ? "text/event-stream" : "application/json");
  switch (request.wire) {
    case Wire::kOpenAi:
      reply.pieces = request.stream
                         ? EventsOpenAi(answer, identity, delivery, request.include_usage)
                         : std::vector{WholeOpenAi(answer, identity)};
      break;
    case Wire::kAnthropic:
      reply.pieces = request.stream ? EventsAnthropic(answer, identity, delivery)
                                    : std::vector{WholeAnthropic(answer, identity)};
      break;
    case Wire::kGoogle:
      reply.pieces = request.stream ? EventsGoogle(answer, identity, delivery)
                                    : std::vector{WholeGoogle(answer, identity)};
      break;
  }
  return reply;
}

}  // namespace talon::mockllm
