// SPDX-License-Identifier: Apache-2.0
#include "mcp/elicitation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxQuestionText = 4'000;
constexpr std::size_t kMaxSchemaBytes = 32 << 10;
constexpr std::size_t kMaxFields = 50;
constexpr std::size_t kMaxUrl = 2'000;

bool IsPlain(const Json& field) {
  const std::string type = StringOf(field, "type");
  if (type == "array") {
    const Json& items = MemberOf(field, "items");
    return MemberOf(items, "enum").is_array() || MemberOf(items, "anyOf").is_array();
  }
  return type == "string" || type == "number" || type == "integer" || type == "boolean";
}

bool IsForm(const Json& schema) {
  const Json& fields = MemberOf(schema, "properties");
  return StringOf(schema, "type") == "object" && fields.is_object() &&
         fields.size() <= kMaxFields && std::all_of(fields.begin(), fields.end(), IsPlain) &&
         Dump(schema).size() <= kMaxSchemaBytes;
}

// Values of "enum", or the "const" of each of "oneOf"/"anyOf".
std::vector<Json> Choices(const Json& field) {
  std::vector<Json> out;
  if (const Json& values = MemberOf(field, "enum"); values.is_array()) {
    out.assign(values.begin(), values.end());
  }
  for (const char* keyword : {"oneOf", "anyOf"}) {
    const Json& titled = MemberOf(field, keyword);
    if (!titled.is_array()) continue;
    for (const Json& item : titled) {
      if (item.is_object() && item.contains("const")) out.push_back(item["const"]);
    }
  }
  return out;
}

bool IsChoice(const Json& field, const Json& value) {
  const std::vector<Json> choices = Choices(field);
  return choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end();
}

bool Fits(const Json& field, const Json& value) {
  const std::string type = StringOf(field, "type");
  if (type == "array") {
    const Json& items = MemberOf(field, "items");
    return value.is_array() && std::all_of(value.begin(), value.end(), [&](const Json& item) {
             return item.is_string() && IsChoice(items, item);
           });
  }
  if (!IsChoice(field, value)) return false;
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "number") return value.is_number();
  return value.is_number() && std::trunc(value.get<double>()) == value.get<double>();
}

std::string Introduced(std::string_view server, const Json& params) {
  const std::string message = StringOf(params, "message");
  return fmt::format("MCP server '{}' asks: {}", server,
                     sdk::TruncateUtf8(message, kMaxQuestionText));
}

Json Action(const char* action) {
  return {{"action", action}};
}

Json AskPage(std::string_view server, const Json& params, Caller& caller) {
  const std::string url = StringOf(params, "url");
  if (url.size() > kMaxUrl || !IsSafePage(url)) {
    sdk::Log(
        sdk::LogLevel::kWarn,
        fmt::format("server '{}': a question by a page that is not https was not asked", server));
    return Action("decline");
  }
  const Answer answer =
      caller.Ask({.text = Introduced(server, params), .schema_json = "", .url = url});
  switch (answer.action) {
    case Answer::Action::kAccept:
      return Action("accept");
    case Answer::Action::kDecline:
      return Action("decline");
    case Answer::Action::kCancel:
      break;
  }
  return Action("cancel");
}

}  // namespace

bool IsThisMachine(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return false;
  std::string host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.find('@') != std::string::npos) return false;
  if (host.starts_with("[::1]")) return true;
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

bool IsSafePage(const std::string& url) {
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c == 0x7F; })) {
    return false;
  }
  return url.starts_with("https://") || (url.starts_with("http://") && IsThisMachine(url));
}

absl::StatusOr<Json> FitAnswer(const Json& schema, const Json& answer) {
  Json out = Json::object();
  const Json& fields = MemberOf(schema, "properties");
  for (const auto& [name, field] : fields.items()) {
    if (answer.is_object() && answer.contains(name) && !answer[name].is_null()) {
      if (!Fits(field, answer[name])) {
        return absl::InvalidArgumentError(fmt::format("'{}' does not fit the question", name));
      }
      out[name] = answer[name];
    } else if (field.contains("default") && Fits(field, field["default"])) {
      out[name] = field["default"];
    }
  }
  const Json& required = MemberOf(schema, "required");
  if (!required.is_array()) return out;
  for (const Json& name : required) {
    if (name.is_string() && !out.contains(name.get<std::string>())) {
      return absl::InvalidArgumentError(fmt::format("'{}' is missing", name.get<std::string>()));
    }
  }
  return out;
}

Json Elicit(std::string_view server, const Json& params, Caller& caller) {
  const std::string mode = StringOf(params, "mode");
  if (mode == "url") return AskPage(server, params, caller);
  const Json& schema = MemberOf(params, "requestedSchema");
  if ((!mode.empty() && mode != "form") || !IsForm(schema)) {
    sdk::Log(sdk::LogLevel::kWarn,
             fmt::format("server '{}': a question that is no form was not asked", server));
    return Action("decline");
  }
  const Answer answer =
      caller.Ask({.text = Introduced(server, params), .schema_json = Dump(schema), .url = ""});
  if (answer.action == Answer::Action::kDecline) return Action("decline");
  if (answer.action == Answer::Action::kCancel) return Action("cancel");
  const absl::StatusOr<Json> given =
      ParseJson(answer.content_json.empty() ? "{}" : answer.content_json);
  const absl::StatusOr<Json> content =
      given.ok() ? FitAnswer(schema, *given) : absl::StatusOr<Json>(given.status());
  if (!content.ok()) {
    sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': the answer was not passed on: {}",
                                               server, Why(content.status())));
    return Action("cancel");
  }
  return {{"action", "accept"}, {"content", *content}};
}

}  // namespace talon::plugins::mcp
