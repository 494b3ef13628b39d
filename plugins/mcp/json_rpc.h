// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 messages as MCP uses them: read with tolerance, written strictly. This plugin is
// about JSON, so its headers include it. Values, any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::plugins::mcp {

using Json = nlohmann::json;

inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
// MCP's own.
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kUnsupportedVersion = -32022;
inline constexpr int kUrlElicitationRequired = -32042;

struct RpcError {
  int code = 0;
  std::string message;  // of the other side: untrusted text, at most 2,000 bytes
  Json data;
};

struct Message {
  enum class Kind { kRequest, kNotification, kResult, kError };
  Kind kind = Kind::kNotification;
  Json id;             // as the other side wrote it; null when it has none
  std::string method;  // of requests and notifications
  Json params;         // an object, always
  Json result;
  RpcError error;
};

// The messages of one line or event: one, or those of a batch. InvalidArgument for what is no JSON,
// nests deeper than 64 levels or is no JSON-RPC message.
absl::StatusOr<std::vector<Message>> ParseMessages(std::string_view text);
// A JSON value under the same rules.
absl::StatusOr<Json> ParseJson(std::string_view text);

std::string RequestText(std::int64_t id, std::string_view method, const Json& params);
std::string NotificationText(std::string_view method, const Json& params);
std::string ResultText(const Json& id, const Json& result);
std::string ErrorText(const Json& id, int code, std::string_view message);
// One line; bytes that are not UTF-8 are replaced.
std::string Dump(const Json& value);

// The message of a status, for log lines and errors.
std::string Why(const absl::Status& status);

// Members of objects that may be missing or of another type.
std::string StringOf(const Json& object, std::string_view name);
const Json& MemberOf(const Json& object, std::string_view name);  // null when missing
bool BoolOf(const Json& object, std::string_view name, bool fallback = false);

}  // namespace talon::plugins::mcp
