// SPDX-License-Identifier: Apache-2.0
#include "script.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "io/sse.h"

namespace talon::mockllm {
namespace {

// Thrown inside this file only; ParseScript turns it into a Status.
[[noreturn]] void Refuse(const YAML::Node& node, const std::string& what) {
  throw YAML::Exception(node.Mark(), what);
}

void AllowKeys(const YAML::Node& node, std::initializer_list<std::string_view> known) {
  if (!node.IsMap()) Refuse(node, "must be a mapping");
  for (const auto& item : node) {
    const std::string key = item.first.Scalar();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      Refuse(item.first, fmt::format("unknown key '{}'; known: {}", key, fmt::join(known, ", ")));
    }
  }
}

template <class T>
void Read(const YAML::Node& node, const char* key, T& out) {
  if (const YAML::Node value = node[key]) out = value.as<T>();
}
template <class T>
void Read(const YAML::Node& node, const char* key, std::optional<T>& out) {
  if (const YAML::Node value = node[key]) out = value.as<T>();
}

Json ToJson(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& item : node) object[item.first.Scalar()] = ToJson(item.second);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& item : node) list.push_back(ToJson(item));
    return list;
  }
  if (!node.IsScalar()) return nullptr;
  if (node.Tag() != "!") {  // not quoted
    std::int64_t integer = 0;
    double number = 0;
    bool flag = false;
    if (YAML::convert<std::int64_t>::decode(node, integer)) return integer;
    if (YAML::convert<double>::decode(node, number)) return number;
    if (YAML::convert<bool>::decode(node, flag)) return flag;
  }
  return node.Scalar();
}

// Text as it is, anything else as JSON.
std::string TextOrJson(const YAML::Node& node) {
  return node.IsScalar() ? node.Scalar() : DumpJson(ToJson(node));
}

void ReadDelivery(const YAML::Node& node, Delivery& out) {
  if (!node) return;
  AllowKeys(node, {"delay_ms", "event_delay_ms", "text_bytes", "argument_bytes", "chunk_bytes",
                   "split_utf8", "hang", "cut_after", "hang_after", "malformed_after"});
  Read(node, "delay_ms", out.delay_ms);
  Read(node, "event_delay_ms", out.event_delay_ms);
  Read(node, "text_bytes", out.text_bytes);
  Read(node, "argument_bytes", out.argument_bytes);
  Read(node, "chunk_bytes", out.chunk_bytes);
  Read(node, "split_utf8", out.split_utf8);
  Read(node, "hang", out.hang);
  Read(node, "cut_after", out.cut_after);
  Read(node, "hang_after", out.hang_after);
  Read(node, "malformed_after", out.malformed_after);
}

void ReadAnswer(const YAML::Node& node, Answer& out) {
  if (node.IsScalar()) {
    out.text = node.Scalar();
    return;
  }
  AllowKeys(node, {"text", "reasoning", "calls", "finish", "usage"});
  Read(node, "text", out.text);
  Read(node, "reasoning", out.reasoning);
  Read(node, "finish", out.finish);
  if (const YAML::Node usage = node["usage"]) {
    AllowKeys(usage, {"input", "output", "cached", "reasoning"});
    Read(usage, "input", out.usage.input);
    Read(usage, "output", out.usage.output);
    Read(usage, "cached", out.usage.cached);
    Read(usage, "reasoning", out.usage.reasoning);
  }
  for (const auto& item : node["calls"]) {
    AllowKeys(item, {"tool", "args", "id"});
    Call call;
    Read(item, "tool", call.tool);
    Read(item, "id", call.id);
    if (const YAML::Node args = item["args"]) call.args = TextOrJson(args);
    out.calls.push_back(std::move(call));
  }
}

Fault ReadFault(const YAML::Node& node) {
  AllowKeys(node, {"status", "type", "message", "body", "headers", "retry_after"});
  Fault fault;
  Read(node, "status", fault.status);
  Read(node, "type", fault.type);
  Read(node, "message", fault.message);
  if (const YAML::Node body = node["body"]) fault.body = TextOrJson(body);
  Read(node, "headers", fault.headers);
  if (node["retry_after"]) fault.headers["Retry-After"] = node["retry_after"].Scalar();
  return fault;
}

// "3" or "2-4".
void ReadRange(const YAML::Node& node, Match& out) {
  const std::string text = node.Scalar();
  const std::size_t dash = text.find('-');
  out.first_request = YAML::Load(text.substr(0, dash)).as<int>();
  out.last_request =
      dash == std::string::npos ? out.first_request : YAML::Load(text.substr(dash + 1)).as<int>();
}

Match ReadMatch(const YAML::Node& node) {
  AllowKeys(node, {"user", "tool_result", "system", "model", "key", "tool", "wire", "stream",
                   "after_tool", "round", "request"});
  Match match;
  Read(node, "user", match.user);
  Read(node, "tool_result", match.tool_result);
  Read(node, "system", match.system);
  Read(node, "model", match.model);
  Read(node, "key", match.key);
  Read(node, "tool", match.tool);
  Read(node, "wire", match.wire);
  Read(node, "stream", match.stream);
  Read(node, "after_tool", match.after_tool);
  Read(node, "round", match.round);
  if (const YAML::Node request = node["request"]) ReadRange(request, match);
  return match;
}

Rule ReadRule(const YAML::Node& node, const Delivery& usual) {
  AllowKeys(node, {"match", "times", "answer", "fault", "delivery"});
  Rule rule;
  rule.delivery = usual;
  if (node["match"]) rule.match = ReadMatch(node["match"]);
  Read(node, "times", rule.times);
  if (node["answer"]) ReadAnswer(node["answer"], rule.answer);
  if (node["fault"]) rule.fault = ReadFault(node["fault"]);
  ReadDelivery(node["delivery"], rule.delivery);
  return rule;
}

void ReadResponse(const YAML::Node& node, Exchange& out) {
  AllowKeys(node, {"status", "headers", "body", "events", "pieces"});
  Read(node, "status", out.status);
  Read(node, "headers", out.headers);
  if (const YAML::Node body = node["body"]) out.pieces.push_back(TextOrJson(body));
  for (const auto& event : node["events"]) {
    out.streamed = true;
    if (event.IsMap() && event["data"]) {
      AllowKeys(event, {"event", "data"});
      std::string name;
      Read(event, "event", name);
      out.pieces.push_back(io::FormatSse(name, TextOrJson(event["data"])));
    } else {
      out.pieces.push_back(io::FormatSse("", TextOrJson(event)));
    }
  }
  for (const auto& piece : node["pieces"]) {
    out.streamed = true;
    out.pieces.push_back(piece.Scalar());
  }
}

Exchange ReadExchange(const YAML::Node& node, const Delivery& usual) {
  AllowKeys(node, {"request", "response", "times", "delivery"});
  Exchange exchange;
  exchange.delivery = usual;
  if (const YAML::Node request = node["request"]) {
    AllowKeys(request, {"path", "contains", "body"});
    Read(request, "path", exchange.path);
    if (const YAML::Node parts = request["contains"]) {
      if (parts.IsScalar()) exchange.contains = {parts.Scalar()};
      if (parts.IsSequence()) exchange.contains = parts.as<std::vector<std::string>>();
    }
    if (const YAML::Node body = request["body"]) exchange.body = TextOrJson(body);
  }
  Read(node, "times", exchange.times);
  if (!node["response"]) Refuse(node, "an exchange needs a response");
  ReadResponse(node["response"], exchange);
  ReadDelivery(node["delivery"], exchange.delivery);
  return exchange;
}

void AddExchanges(const YAML::Node& list, Script& script) {
  for (const auto& item : list) script.exchanges.push_back(ReadExchange(item, script.delivery));
}

Mode ReadMode(const YAML::Node& node) {
  const std::string name = node.Scalar();
  if (name == "scripted") return Mode::kScripted;
  if (name == "replay") return Mode::kReplay;
  if (name == "echo") return Mode::kEcho;
  if (name == "obedient") return Mode::kObedient;
  Refuse(node, fmt::format("mode '{}' is none of scripted, replay, echo, obedient", name));
}

Script Build(const YAML::Node& root, const std::string& folder) {
  Script script;
  if (root.IsNull()) return script;
  AllowKeys(root, {"mode", "models", "keys", "delivery", "rules", "exchanges", "exchanges_file"});
  if (root["mode"]) script.mode = ReadMode(root["mode"]);
  Read(root, "models", script.models);
  Read(root, "keys", script.keys);
  ReadDelivery(root["delivery"], script.delivery);
  for (const auto& item : root["rules"]) script.rules.push_back(ReadRule(item, script.delivery));
  AddExchanges(root["exchanges"], script);
  if (const YAML::Node file = root["exchanges_file"]) {
    const std::string name = file.Scalar();
    auto text = ReadFile(name.starts_with('/') ? name : folder + "/" + name);
    if (!text.ok()) Refuse(file, std::string(Message(text.status())));
    AddExchanges(YAML::Load(*text), script);
  }
  return script;
}

}  // namespace

absl::StatusOr<Script> ParseScript(std::string_view yaml, const std::string& folder) {
  try {
    return Build(YAML::Load(std::string(yaml)), folder);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(fmt::format("script:{}: {}", error.mark.line + 1, error.msg));
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("script: {}", error.what()));
  }
}

}  // namespace talon::mockllm
