// SPDX-License-Identifier: Apache-2.0
#include "guard/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/guard.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxLabel = 400;  // of a title, description or choice
constexpr std::size_t kMaxChoices = 100;
constexpr std::size_t kMaxUrl = 2048;

constexpr std::array<std::string_view, 14> kSecretWords = {
    "password",   "passwd",      "passphrase", "passcode",   "pwd", "secret", "secrets",
    "credential", "credentials", "apikey",     "privatekey", "cvv", "cvc",    "pin"};
constexpr std::array<std::string_view, 5> kKeyKinds = {"api", "private", "access", "secret",
                                                       "signing"};
constexpr std::array<std::string_view, 5> kTokenKinds = {"access", "auth", "bearer", "refresh",
                                                         "session"};

bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || IsUpper(c) || (c >= '0' && c <= '9');
}

// "userApiKey", "user api-key" → user, api, key.
std::vector<std::string> WordsOf(std::string_view name) {
  std::vector<std::string> words;
  bool open = false;
  char before = ' ';
  for (const char c : name) {
    if (!IsAlnum(c)) {
      open = false;
    } else {
      if (!open || (IsUpper(c) && !IsUpper(before))) words.emplace_back();
      words.back() += ToLowerAscii(std::string_view(&c, 1));
      open = true;
    }
    before = c;
  }
  return words;
}

absl::Status Bad(std::string_view field, std::string_view why) {
  return InvalidArgument(fmt::format("question: field '{}': {}", field, why));
}

std::string Label(const Json& object, std::string_view key) {
  return std::string(TruncateUtf8(SanitizeUntrusted(JsonString(object, key), nullptr), kMaxLabel));
}

void CopyLabels(const Json& from, Json& to) {
  for (const char* key : {"title", "description"}) {
    if (std::string text = Label(from, key); !text.empty()) to[key] = std::move(text);
  }
}

// The choices of a field, in any of the shapes they come in: "enum" with "enumNames", "oneOf" or
// "anyOf" of {"const","title"}. False when there are none.
absl::StatusOr<bool> CopyChoices(std::string_view field, const Json& from, Json& to) {
  Json values = Json::array();
  Json names = Json::array();
  const Json* list = JsonFind(from, "enum");
  const Json* titles = JsonFind(from, "enumNames");
  const bool plain = list != nullptr;
  for (const char* key : {"oneOf", "anyOf"}) {
    if (list == nullptr) list = JsonFind(from, key);
  }
  if (list == nullptr) return false;
  if (!list->is_array() || list->empty() || list->size() > kMaxChoices) {
    return Bad(field, fmt::format("choices are a list of 1 to {}", kMaxChoices));
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& each = (*list)[i];
    const Json* value = plain ? &each : JsonFind(each, "const");
    if (value == nullptr || !value->is_string()) return Bad(field, "a choice must be a string");
    std::string shown;
    if (!plain) shown = Label(each, "title");
    if (plain && titles != nullptr && titles->is_array() && i < titles->size() &&
        (*titles)[i].is_string()) {
      shown = TruncateUtf8(SanitizeUntrusted((*titles)[i].get<std::string>(), nullptr), kMaxLabel);
    }
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > kMaxLabel || SanitizeUntrusted(text, nullptr) != text) {
      return Bad(field, "a choice is too long or no plain text");
    }
    if (shown.empty()) shown = text;
    names.push_back(std::move(shown));
    values.push_back(*value);
  }
  if (names != values) to["enumNames"] = std::move(names);
  to["enum"] = std::move(values);
  return true;
}

void CopyCounts(const Json& from, Json& to, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const Json* value = JsonFind(from, key);
    if (value != nullptr && value->is_number()) to[key] = *value;
  }
}

absl::Status CopyString(std::string_view field, const Json& from, Json& to) {
  TALON_RETURN_IF_ERROR(CopyChoices(field, from, to).status());
  CopyCounts(from, to, {"minLength", "maxLength"});
  const std::string format = JsonString(from, "format");
  if (format == "email" || format == "uri" || format == "date" || format == "date-time") {
    to["format"] = format;
  }
  if (const std::string pattern = JsonString(from, "pattern"); !pattern.empty()) {
    to["pattern"] = pattern;
  }
  return absl::OkStatus();
}

absl::Status CopyList(std::string_view field, const Json& from, Json& to) {
  const Json* items = JsonFind(from, "items");
  Json item = {{"type", "string"}};
  if (items == nullptr) return Bad(field, "a list needs items");
  TALON_ASSIGN_OR_RETURN(const bool choices, CopyChoices(field, *items, item));
  if (!choices) return Bad(field, "a list must be one of choices");
  to["items"] = std::move(item);
  CopyCounts(from, to, {"minItems", "maxItems"});
  return absl::OkStatus();
}

bool FitsType(const Json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

bool IsSecretField(std::string_view name, const Json& field) {
  const std::string format = ToLowerAscii(JsonString(field, "format"));
  return format == "password" || JsonBool(field, "writeOnly") || NamesSecret(name) ||
         NamesSecret(JsonString(field, "title"));
}

absl::StatusOr<Json> AdmitField(const std::string& name, const Json& field) {
  const bool plain_name =
      !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
        return IsAlnum(c) || c == '_' || c == '-' || c == '.';
      });
  const std::string shown(TruncateUtf8(SanitizeUntrusted(name, nullptr), kMaxName));
  if (!plain_name) {
    return Bad(shown, fmt::format("a name is 1 to {} of a-z A-Z 0-9 _ - .", kMaxName));
  }
  if (!field.is_object()) return Bad(shown, "it is no schema");
  if (IsSecretField(name, field)) {
    return Bad(shown,
               "it asks for a secret, which must not pass through a conversation; use a url");
  }
  const std::string type = JsonString(field, "type");
  Json made = {{"type", type}};
  CopyLabels(field, made);
  if (type == "string") {
    TALON_RETURN_IF_ERROR(CopyString(shown, field, made));
  } else if (type == "array") {
    TALON_RETURN_IF_ERROR(CopyList(shown, field, made));
  } else if (type == "integer" || type == "number") {
    CopyCounts(field, made, {"minimum", "maximum"});
  } else if (type != "boolean") {
    return Bad(shown, "its type must be string, integer, number, boolean or a list of choices");
  }
  if (const Json* value = JsonFind(field, "default"); value != nullptr && FitsType(*value, type)) {
    made["default"] =
        value->is_string() ? Json(SanitizeUntrusted(value->get<std::string>(), nullptr)) : *value;
  }
  return made;
}

// Json sorts its members; what ParseJson has taken this takes too.
std::vector<std::string> FieldsInOrder(std::string_view text) {
  std::vector<std::string> fields;
  const auto schema = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  for (const auto& [name, field] : schema["properties"].items()) fields.push_back(name);
  return fields;
}

absl::StatusOr<std::string> AdmitSchema(std::string_view text, const GuardOptions& options) {
  if (text.size() > options.max_question_schema.value) {
    return InvalidArgument(fmt::format("question: its schema has {} bytes; at most {} are allowed",
                                       text.size(), options.max_question_schema.value));
  }
  TALON_ASSIGN_OR_RETURN(const Json schema, ParseJson(text, "question: schema"));
  const Json* properties = JsonFind(schema, "properties");
  if (JsonString(schema, "type", "object") != "object" || properties == nullptr ||
      !properties->is_object()) {
    return InvalidArgument("question: its schema must be an object with properties");
  }
  if (properties->empty() || properties->size() > options.max_question_fields) {
    return InvalidArgument(fmt::format("question: it has {} fields; 1 to {} are allowed",
                                       properties->size(), options.max_question_fields));
  }
  Json made = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  Json required = Json::array();
  for (const auto& [name, field] : properties->items()) {
    TALON_ASSIGN_OR_RETURN(made["properties"][name], AdmitField(name, field));
  }
  if (const Json* names = JsonFind(schema, "required"); names != nullptr && names->is_array()) {
    for (const Json& name : *names) {
      if (name.is_string() && properties->contains(name.get<std::string>())) {
        required.push_back(name);
      }
    }
  }
  if (!required.empty()) made["required"] = std::move(required);
  return DumpJson(made);
}

absl::Status CheckUrl(std::string_view url) {
  if (url.size() > kMaxUrl ||
      !std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; })) {
    return InvalidArgument(fmt::format(
        "question: a url is at most {} printable ASCII characters without a backslash", kMaxUrl));
  }
  const std::size_t scheme = url.find("://");
  const std::string_view rest = scheme == std::string_view::npos ? "" : url.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::string_view host = authority.substr(0, authority.rfind(':'));
  const bool local = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  if (authority.empty() || authority.find('@') != std::string_view::npos ||
      !(url.starts_with("https://") || (url.starts_with("http://") && local))) {
    return InvalidArgument(
        "question: a url begins with https:// and a host (http:// on this machine only)");
  }
  return absl::OkStatus();
}

}  // namespace

bool NamesSecret(std::string_view name) {
  const std::vector<std::string> words = WordsOf(name);
  const auto among = [](const auto& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (among(kSecretWords, words[i])) return true;
    if (i == 0) continue;
    if (words[i] == "key" && among(kKeyKinds, words[i - 1])) return true;
    if (words[i] == "token" && among(kTokenKinds, words[i - 1])) return true;
  }
  return words.size() == 1 && words.front() == "token";
}

absl::StatusOr<AdmittedQuestion> AdmitQuestion(const tool::Question& question,
                                               const GuardOptions& options) {
  AdmittedQuestion admitted;
  if (question.text.size() > options.max_question.value) {
    return InvalidArgument(fmt::format("question: it has {} bytes; at most {} are allowed",
                                       question.text.size(), options.max_question.value));
  }
  admitted.text = SanitizeUntrusted(question.text, nullptr);
  if (TrimSpace(admitted.text).empty()) return InvalidArgument("question: it has no text");
  if (!question.url.empty()) {
    TALON_RETURN_IF_ERROR(CheckUrl(question.url));
    admitted.url = question.url;
    return admitted;
  }
  if (question.schema.empty()) return admitted;
  TALON_ASSIGN_OR_RETURN(admitted.schema, AdmitSchema(question.schema, options));
  admitted.fields = FieldsInOrder(question.schema);
  TALON_ASSIGN_OR_RETURN(admitted.form, tool::Schema::Compile(admitted.schema));
  return admitted;
}

}  // namespace talon::guard
