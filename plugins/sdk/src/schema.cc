// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/schema.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace talon::sdk {
namespace {

using nlohmann::json;

std::string Quote(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string_view TypeName(ValueType type) {
  static constexpr std::string_view kNames[] = {"string",  "integer", "number",
                                                "boolean", "array",   "object"};
  return kNames[static_cast<int>(type)];
}

bool Matches(const json& value, ValueType type) {
  switch (type) {
    case ValueType::kString:
      return value.is_string();
    case ValueType::kInteger:
      return value.is_number_integer() ||
             (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
    case ValueType::kNumber:
      return value.is_number();
    case ValueType::kBoolean:
      return value.is_boolean();
    case ValueType::kArray:
      return value.is_array();
    case ValueType::kObject:
      return value.is_object();
  }
  return false;
}

}  // namespace

Value::Value(ValueType type, std::string_view description)
    : type_(type), members_(fmt::format("\"type\":\"{}\"", TypeName(type))) {
  if (!description.empty()) With("description", Quote(description));
}

Value& Value::Min(long minimum) {
  return With("minimum", std::to_string(minimum));
}
Value& Value::Max(long maximum) {
  return With("maximum", std::to_string(maximum));
}

Value& Value::OneOf(const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ",") + Quote(value);
  return With("enum", "[" + list + "]");
}

Value& Value::With(std::string_view keyword, std::string_view json) {
  members_ += fmt::format(",{}:{}", Quote(keyword), json);
  return *this;
}

std::string Value::Json() const {
  return "{" + members_ + "}";
}

Value String(std::string_view description) {
  return {ValueType::kString, description};
}
Value Integer(std::string_view description) {
  return {ValueType::kInteger, description};
}
Value Number(std::string_view description) {
  return {ValueType::kNumber, description};
}
Value Boolean(std::string_view description) {
  return {ValueType::kBoolean, description};
}

Value ArrayOf(const Value& element, std::string_view description) {
  return Value(ValueType::kArray, description).With("items", element.Json());
}

Value MapOf(const Value& value, std::string_view description) {
  return Value(ValueType::kObject, description).With("additionalProperties", value.Json());
}

Schema Schema::FromJson(std::string json) {
  Schema schema;
  schema.whole_ = std::move(json);
  return schema;
}

Schema& Schema::Required(std::string_view name, const Value& value) {
  members_.push_back({std::string(name), value.type(), true, value.Json()});
  return *this;
}

Schema& Schema::Optional(std::string_view name, const Value& value) {
  members_.push_back({std::string(name), value.type(), false, value.Json()});
  return *this;
}

std::string Schema::Json() const {
  if (!whole_.empty()) return whole_;
  std::string properties, required;
  for (const Member& member : members_) {
    const std::string name = Quote(member.name);
    properties += fmt::format("{}{}:{}", properties.empty() ? "" : ",", name, member.json);
    if (member.required) required += (required.empty() ? "" : ",") + name;
  }
  std::string out = "{\"type\":\"object\",\"properties\":{" + properties + "}";
  if (!required.empty()) out += ",\"required\":[" + required + "]";
  return out + "}";
}

bool Schema::Has(std::string_view name) const {
  if (!whole_.empty()) return true;
  for (const Member& member : members_) {
    if (member.name == name) return true;
  }
  return false;
}

absl::Status Schema::Check(const json& object, std::string_view what) const {
  if (!object.is_object()) return absl::InvalidArgumentError("expected a JSON object");
  if (!whole_.empty()) return absl::OkStatus();
  std::string known;
  for (const Member& member : members_) known += (known.empty() ? "" : ", ") + member.name;
  for (const auto& item : object.items()) {
    if (Has(item.key())) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} '{}' is not known; {}", what, item.key(),
                    known.empty() ? "there are none" : "known are: " + known));
  }
  for (const Member& member : members_) {
    const auto found = object.find(member.name);
    if (found == object.end()) {
      if (!member.required) continue;
      return absl::InvalidArgumentError(fmt::format("{} '{}' is missing", what, member.name));
    }
    if (Matches(*found, member.type)) continue;
    return absl::InvalidArgumentError(fmt::format("{} '{}' must be of type {}, not {}", what,
                                                  member.name, TypeName(member.type),
                                                  found->type_name()));
  }
  return absl::OkStatus();
}

}  // namespace talon::sdk
