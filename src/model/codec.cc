// SPDX-License-Identifier: Apache-2.0
#include "model/codec.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "model/json_text.h"

namespace talon::model {
namespace {

void Optional(JsonText& json, std::string_view key, const std::string& value) {
  if (!value.empty()) json.Member(key, value);
}

struct PartEncoder {
  JsonText& json;
  void operator()(const TextPart& part) const {
    json.Member("type", "text").Member("text", part.text);
  }
  void operator()(const ImagePart& part) const {
    json.Member("type", "image");
    Optional(json, "media_type", part.media_type);
    Optional(json, "base64", part.base64);
    Optional(json, "url", part.url);
  }
  void operator()(const ReasoningPart& part) const {
    json.Member("type", "reasoning");
    Optional(json, "text", part.text);
    Optional(json, "signature", part.signature);
    Optional(json, "redacted", part.redacted);
    Optional(json, "provider", part.provider);
  }
  void operator()(const ToolCall& part) const {
    json.Member("type", "tool_call").Member("id", part.id).Member("name", part.name);
    json.Member("arguments", part.arguments);
    Optional(json, "signature", part.signature);
  }
  void operator()(const ToolResult& part) const {
    json.Member("type", "tool_result").Member("call_id", part.call_id).Member("name", part.name);
    json.Member("content", part.content);
    if (part.is_error) json.Key("is_error").Bool(true);
  }
};

absl::StatusOr<Role> ParseRole(std::string_view name) {
  for (Role role : {Role::kSystem, Role::kUser, Role::kAssistant, Role::kTool}) {
    if (name == RoleName(role)) return role;
  }
  return InvalidArgument(fmt::format("decode message: unknown role '{}'", name));
}

absl::StatusOr<Part> DecodePart(const Json& part) {
  std::string type = JsonString(part, "type");
  auto text = [&part](std::string_view key) { return JsonString(part, key); };
  if (type == "text") return TextPart{text("text")};
  if (type == "image") return ImagePart{text("media_type"), text("base64"), text("url")};
  if (type == "reasoning") {
    return ReasoningPart{text("text"), text("signature"), text("redacted"), text("provider")};
  }
  if (type == "tool_call") {
    return ToolCall{text("id"), text("name"), text("arguments"), text("signature")};
  }
  if (type == "tool_result") {
    return ToolResult{text("call_id"), text("name"), text("content"), JsonBool(part, "is_error")};
  }
  return InvalidArgument(fmt::format("decode message: unknown part type '{}'", type));
}

}  // namespace

std::string EncodeMessage(const Message& message) {
  std::string out;
  JsonText json(out);
  json.Open('{').Member("role", RoleName(message.role)).Key("parts").Open('[');
  for (const Part& part : message.parts) {
    json.Open('{');
    std::visit(PartEncoder{json}, part);
    json.Close('}');
  }
  json.Close(']').Close('}');
  return out;
}

absl::StatusOr<Message> DecodeMessage(std::string_view text) {
  TALON_ASSIGN_OR_RETURN(Json json, ParseJson(text, "message"));
  Message message;
  TALON_ASSIGN_OR_RETURN(message.role, ParseRole(JsonString(json, "role")));
  const Json* parts = JsonFind(json, "parts");
  if (parts == nullptr || !parts->is_array()) {
    return InvalidArgument("decode message: no array 'parts'");
  }
  message.parts.reserve(parts->size());
  for (const Json& part : *parts) {
    TALON_ASSIGN_OR_RETURN(Part decoded, DecodePart(part));
    message.parts.push_back(std::move(decoded));
  }
  return message;
}

std::string EncodeUsage(const Usage& usage) {
  std::string out;
  JsonText json(out);
  json.Open('{');
  json.Key("input_tokens").Int(usage.input_tokens);
  json.Key("output_tokens").Int(usage.output_tokens);
  json.Key("cached_input_tokens").Int(usage.cached_input_tokens);
  json.Key("cache_write_tokens").Int(usage.cache_write_tokens);
  json.Key("reasoning_tokens").Int(usage.reasoning_tokens);
  json.Close('}');
  return out;
}

absl::StatusOr<Usage> DecodeUsage(std::string_view text) {
  TALON_ASSIGN_OR_RETURN(Json json, ParseJson(text, "usage"));
  if (!json.is_object()) return InvalidArgument("decode usage: not an object");
  return Usage{.input_tokens = JsonInt(json, "input_tokens"),
               .output_tokens = JsonInt(json, "output_tokens"),
               .cached_input_tokens = JsonInt(json, "cached_input_tokens"),
               .cache_write_tokens = JsonInt(json, "cache_write_tokens"),
               .reasoning_tokens = JsonInt(json, "reasoning_tokens")};
}

}  // namespace talon::model
