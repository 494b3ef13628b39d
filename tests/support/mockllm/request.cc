// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"

namespace talon::mockllm {
namespace {

// One message, reduced to what scripts look at.
struct Seen {
  enum class Kind { kSystem, kUser, kModel, kResult } kind = Kind::kUser;
  std::string text;
};

void Append(std::string& out, std::string_view text) {
  if (text.empty()) return;
  if (!out.empty()) out += '\n';
  out += text;
}

// The text of a string or of an array of parts.
std::string TextOf(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (content.is_object()) return JsonString(content, "text");
  if (!content.is_array()) return text;
  for (const Json& part : content)
    Append(text, part.is_string() ? TextOf(part) : JsonString(part, "text"));
  return text;
}

std::string TextAt(const Json& object, std::string_view key) {
  const Json* found = JsonFind(object, key);
  return found == nullptr ? "" : TextOf(*found);
}

void ReadOpenAi(const Json& message, std::vector<Seen>& seen) {
  const std::string role = JsonString(message, "role");
  Seen::Kind kind = Seen::Kind::kUser;
  if (role == "system" || role == "developer") kind = Seen::Kind::kSystem;
  if (role == "assistant") kind = Seen::Kind::kModel;
  if (role == "tool") kind = Seen::Kind::kResult;
  seen.push_back({kind, TextAt(message, "content")});
}

// Anthropic and Gemini put results and a person's text into one message.
void AddUserParts(std::string results, std::string text, bool has_result, std::vector<Seen>& seen) {
  if (has_result) seen.push_back({Seen::Kind::kResult, std::move(results)});
  if (!has_result || !text.empty()) seen.push_back({Seen::Kind::kUser, std::move(text)});
}

void ReadAnthropic(const Json& message, std::vector<Seen>& seen) {
  const Json* content = JsonFind(message, "content");
  if (JsonString(message, "role") == "assistant") {
    seen.push_back({Seen::Kind::kModel, TextAt(message, "content")});
    return;
  }
  std::string results, text;
  bool has_result = false;
  if (content != nullptr && content->is_array()) {
    for (const Json& part : *content) {
      const bool result = JsonString(part, "type") == "tool_result";
      has_result |= result;
      Append(result ? results : text, result ? TextAt(part, "content") : JsonString(part, "text"));
    }
  } else {
    text = TextAt(message, "content");
  }
  AddUserParts(std::move(results), std::move(text), has_result, seen);
}

void ReadGoogle(const Json& content, std::vector<Seen>& seen) {
  const Json* parts = JsonFind(content, "parts");
  std::string results, text;
  bool has_result = false;
  if (parts != nullptr && parts->is_array()) {
    for (const Json& part : *parts) {
      Append(text, JsonString(part, "text"));
      const Json* response = JsonFind(part, "functionResponse");
      if (response == nullptr) continue;
      has_result = true;
      const Json* body = JsonFind(*response, "response");
      if (body == nullptr || !body->is_object()) continue;
      for (const auto& [name, value] : body->items()) {
        Append(results, value.is_string() ? value.get<std::string>() : DumpJson(value));
      }
    }
  }
  if (JsonString(content, "role") == "model") {
    seen.push_back({Seen::Kind::kModel, std::move(text)});
    return;
  }
  AddUserParts(std::move(results), std::move(text), has_result, seen);
}

void ReadTools(const Json& body, std::vector<std::string>& names) {
  const Json* tools = JsonFind(body, "tools");
  if (tools == nullptr || !tools->is_array()) return;
  for (const Json& tool : *tools) {
    if (const Json* function = JsonFind(tool, "function")) {
      names.push_back(JsonString(*function, "name"));
    } else if (const Json* list = JsonFind(tool, "functionDeclarations");
               list != nullptr && list->is_array()) {
      for (const Json& one : *list) names.push_back(JsonString(one, "name"));
    } else {
      names.push_back(JsonString(tool, "name"));
    }
  }
}

void Conclude(const std::vector<Seen>& seen, ModelRequest& request) {
  request.messages = static_cast<int>(seen.size());
  for (const Seen& one : seen) {
    if (one.kind == Seen::Kind::kSystem) Append(request.system, one.text);
  }
  std::vector<std::string_view> results;
  bool at_end = true;
  for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
    if (it->kind == Seen::Kind::kSystem) continue;
    if (it->kind == Seen::Kind::kUser) {
      request.user = it->text;
      break;
    }
    at_end &= it->kind == Seen::Kind::kResult;
    if (at_end) results.push_back(it->text);
    if (it->kind == Seen::Kind::kModel) ++request.round;
  }
  request.ends_with_result = !results.empty();
  for (auto it = results.rbegin(); it != results.rend(); ++it) Append(request.tool_result, *it);
}

std::string Credential(const io::Headers& headers) {
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view value = headers.Get("Authorization");
  if (value.starts_with(kBearer)) return std::string(value.substr(kBearer.size()));
  for (std::string_view name : {"x-api-key", "x-goog-api-key"}) {
    if (headers.Has(name)) return std::string(headers.Get(name));
  }
  return std::string(value);
}

}  // namespace

std::string_view WireName(Wire wire) {
  switch (wire) {
    case Wire::kOpenAi:
      return "openai";
    case Wire::kAnthropic:
      return "anthropic";
    default:
      return "google";
  }
}

absl::StatusOr<ModelRequest> RequestOfPath(std::string_view path) {
  ModelRequest request;
  if (path.ends_with("/chat/completions")) return request;
  if (path.ends_with("/v1/messages")) {
    request.wire = Wire::kAnthropic;
    return request;
  }
  const std::size_t slash = path.rfind('/');
  const std::size_t colon = path.rfind(':');
  if (slash != std::string_view::npos && colon != std::string_view::npos && colon > slash &&
      path.substr(0, slash).ends_with("/models")) {
    const std::string_view verb = path.substr(colon + 1);
    request.wire = Wire::kGoogle;
    request.model = path.substr(slash + 1, colon - slash - 1);
    request.stream = verb == "streamGenerateContent";
    if (request.stream || verb == "generateContent") return request;
  }
  return NotFound(fmt::format("mockllm: no endpoint '{}'", path));
}

absl::Status ReadRequest(const io::ServerRequest& http, const Json& body, ModelRequest& request) {
  const bool google = request.wire == Wire::kGoogle;
  if (!google) {
    request.model = JsonString(body, "model");
    request.stream = JsonBool(body, "stream");
    if (const Json* options = JsonFind(body, "stream_options")) {
      request.include_usage = JsonBool(*options, "include_usage");
    }
  }
  const Json* list = JsonFind(body, google ? "contents" : "messages");
  if (list == nullptr || !list->is_array() || list->empty()) {
    return InvalidArgument(fmt::format("mockllm: '{}' must be an array with an element",
                                       google ? "contents" : "messages"));
  }
  if (request.model.empty()) return InvalidArgument("mockllm: no model is named");
  std::vector<Seen> seen;
  for (const Json& message : *list) {
    if (request.wire == Wire::kOpenAi) ReadOpenAi(message, seen);
    if (request.wire == Wire::kAnthropic) ReadAnthropic(message, seen);
    if (google) ReadGoogle(message, seen);
  }
  Conclude(seen, request);
  if (request.wire == Wire::kAnthropic) request.system = TextAt(body, "system");
  if (google) {
    const Json* system = JsonFind(body, "systemInstruction");
    if (system != nullptr) request.system = TextAt(*system, "parts");
  }
  ReadTools(body, request.tools);
  request.key = Credential(http.headers);
  return absl::OkStatus();
}

}  // namespace talon::mockllm
