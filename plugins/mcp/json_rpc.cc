// SPDX-License-Identifier: Apache-2.0
#include "mcp/json_rpc.h"

#include <fmt/format.h>

#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxErrorText = 2'000;

bool TooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

RpcError ParseError(const Json& error) {
  RpcError out;
  const Json& code = MemberOf(error, "code");
  if (code.is_number()) out.code = static_cast<int>(code.get<double>());
  out.message = sdk::TruncateUtf8(StringOf(error, "message"), kMaxErrorText);
  if (out.message.empty()) out.message = "no reason given";
  out.data = MemberOf(error, "data");
  return out;
}

absl::StatusOr<Message> ParseMessage(Json& value) {
  if (!value.is_object() || StringOf(value, "jsonrpc") != "2.0") {
    return absl::InvalidArgumentError("not a JSON-RPC 2.0 message");
  }
  Message message;
  message.id = MemberOf(value, "id");
  message.method = StringOf(value, "method");
  if (!message.method.empty()) {
    message.kind = message.id.is_null() ? Message::Kind::kNotification : Message::Kind::kRequest;
    message.params = MemberOf(value, "params");
    if (!message.params.is_object()) message.params = Json::object();
  } else if (value.contains("result")) {
    message.kind = Message::Kind::kResult;
    message.result = std::move(value["result"]);
  } else if (MemberOf(value, "error").is_object()) {
    message.kind = Message::Kind::kError;
    message.error = ParseError(value["error"]);
  } else {
    return absl::InvalidArgumentError("a message without method, result and error");
  }
  if (message.id.is_structured() || message.id.is_boolean()) {
    return absl::InvalidArgumentError("a message whose id is neither text nor number");
  }
  return message;
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text) {
  if (TooDeep(text)) return absl::InvalidArgumentError("JSON nested too deeply");
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return absl::InvalidArgumentError("not JSON");
  return value;
}

absl::StatusOr<std::vector<Message>> ParseMessages(std::string_view text) {
  absl::StatusOr<Json> value = ParseJson(text);
  if (!value.ok()) return value.status();
  std::vector<Message> out;
  if (!value->is_array()) {
    absl::StatusOr<Message> message = ParseMessage(*value);
    if (!message.ok()) return message.status();
    out.push_back(*std::move(message));
    return out;
  }
  for (Json& item : *value) {
    absl::StatusOr<Message> message = ParseMessage(item);
    if (!message.ok()) return message.status();
    out.push_back(*std::move(message));
  }
  return out;
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string RequestText(std::int64_t id, std::string_view method, const Json& params) {
  return Dump({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
}

std::string NotificationText(std::string_view method, const Json& params) {
  Json message = {{"jsonrpc", "2.0"}, {"method", method}};
  if (!params.empty()) message["params"] = params;
  return Dump(message);
}

std::string ResultText(const Json& id, const Json& result) {
  return Dump({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}

std::string ErrorText(const Json& id, int code, std::string_view message) {
  return Dump({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

std::string Why(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

const Json& MemberOf(const Json& object, std::string_view name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string StringOf(const Json& object, std::string_view name) {
  const Json& value = MemberOf(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool BoolOf(const Json& object, std::string_view name, bool fallback) {
  const Json& value = MemberOf(object, name);
  return value.is_boolean() ? value.get<bool>() : fallback;
}

}  // namespace talon::plugins::mcp
