// SPDX-License-Identifier: Apache-2.0
#include "model/google/schema.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"

namespace talon::model {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxNodes = 2048;  // references may multiply what they refer to

constexpr auto kCopied = std::to_array<std::string_view>(
    {"title", "description", "nullable", "minItems", "maxItems", "minProperties", "maxProperties",
     "minLength", "maxLength", "pattern", "minimum", "maximum", "default", "example",
     "propertyOrdering"});
constexpr auto kTypes =
    std::to_array<std::string_view>({"string", "number", "integer", "boolean", "array", "object"});
constexpr auto kFormats =
    std::to_array<std::string_view>({"enum", "date-time", "float", "double", "int32", "int64"});

bool IsType(std::string_view name) {
  return std::find(kTypes.begin(), kTypes.end(), name) != kTypes.end();
}

class Cleaner {
 public:
  explicit Cleaner(const Json& root) : root_(root) {}
  Json Clean(const Json& schema, int depth);

 private:
  Json CleanNode(const Json& schema, const Json& source, int depth);
  const Json* Resolve(const std::string& ref) const;
  void Type(const Json& schema, Json& out) const;
  void Enumeration(const Json& schema, Json& out) const;
  void Properties(const Json& schema, Json& out, int depth);
  void Alternatives(const Json& schema, Json& out, int depth);
  void Parts(const Json& schema, Json& out, int depth);

  const Json& root_;
  std::size_t nodes_ = 0;
  std::vector<std::string> open_refs_;  // being put in place; again inside itself one ends
};

const Json* Cleaner::Resolve(const std::string& ref) const {
  if (!ref.starts_with('#')) return nullptr;
  try {
    Json::json_pointer pointer(ref.substr(1));
    return root_.contains(pointer) ? &root_.at(pointer) : nullptr;
  } catch (const std::exception&) {
    return nullptr;  // not a pointer
  }
}

void Cleaner::Type(const Json& schema, Json& out) const {
  const Json* type = JsonFind(schema, "type");
  if (type == nullptr) return;
  Json choices = Json::array();
  for (const Json& one : type->is_array() ? *type : Json::array({*type})) {
    if (one == "null") {
      out["nullable"] = true;
    } else if (one.is_string() && IsType(one.get_ref<const std::string&>())) {
      choices.push_back({{"type", one}});
    }
  }
  if (choices.size() == 1) out["type"] = choices.front()["type"];
  if (choices.size() > 1) out["anyOf"] = std::move(choices);
}

void Cleaner::Enumeration(const Json& schema, Json& out) const {
  const Json* values = JsonFind(schema, "enum");
  const Json* constant = JsonFind(schema, "const");
  Json list = Json::array();
  if (values != nullptr && values->is_array()) list = *values;
  if (constant != nullptr) list = Json::array({*constant});
  // Only strings may be enumerated.
  list.erase(std::remove_if(list.begin(), list.end(), [](const Json& v) { return !v.is_string(); }),
             list.end());
  if (list.empty() || (out.contains("type") && out["type"] != "string")) return;
  out["type"] = "string";
  out["enum"] = std::move(list);
}

void Cleaner::Properties(const Json& schema, Json& out, int depth) {
  const Json* properties = JsonFind(schema, "properties");
  if (properties == nullptr || !properties->is_object() || properties->empty()) return;
  if (!out.contains("type")) out["type"] = "object";
  Json& kept = out["properties"];
  if (kept.is_null()) kept = Json::object();
  for (const auto& [name, property] : properties->items()) kept[name] = Clean(property, depth + 1);
  const Json* required = JsonFind(schema, "required");
  if (required == nullptr || !required->is_array()) return;
  for (const Json& name : *required) {
    if (name.is_string() && kept.contains(name.get<std::string>())) out["required"].push_back(name);
  }
}

void Cleaner::Alternatives(const Json& schema, Json& out, int depth) {
  for (std::string_view key : {"anyOf", "oneOf"}) {
    const Json* list = JsonFind(schema, key);
    if (list == nullptr || !list->is_array()) continue;
    Json choices = Json::array();
    for (const Json& one : *list) {
      if (JsonString(one, "type") == "null") {
        out["nullable"] = true;
      } else {
        choices.push_back(Clean(one, depth + 1));
      }
    }
    if (choices.size() == 1 && choices.front().is_object()) {
      out.update(choices.front());
    } else if (!choices.empty()) {
      out["anyOf"] = std::move(choices);
    }
  }
}

// allOf: what the parts say holds together.
void Cleaner::Parts(const Json& schema, Json& out, int depth) {
  const Json* list = JsonFind(schema, "allOf");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& one : *list) {
    Json part = Clean(one, depth + 1);
    Json properties = out.value("properties", Json::object());
    properties.update(part.value("properties", Json::object()));
    Json required = out.value("required", Json::array());
    for (const Json& name : part.value("required", Json::array())) required.push_back(name);
    out.update(part);
    if (!properties.empty()) out["properties"] = std::move(properties);
    if (!required.empty()) out["required"] = std::move(required);
  }
}

Json Cleaner::Clean(const Json& schema, int depth) {
  std::string ref = JsonString(schema, "$ref");
  const Json* target = ref.empty() ? nullptr : Resolve(ref);
  const Json& source = target == nullptr ? schema : *target;
  bool inside_itself = std::find(open_refs_.begin(), open_refs_.end(), ref) != open_refs_.end();
  if (inside_itself || depth > kMaxDepth || ++nodes_ > kMaxNodes || !source.is_object()) {
    return {{"type", "object"}};
  }
  if (target == nullptr) return CleanNode(schema, source, depth);
  open_refs_.push_back(std::move(ref));
  Json out = CleanNode(schema, source, depth);
  open_refs_.pop_back();
  return out;
}

// `source` is what `schema` refers to, or `schema` itself.
Json Cleaner::CleanNode(const Json& schema, const Json& source, int depth) {
  Json out = Json::object();
  for (std::string_view key : kCopied) {
    if (const Json* value = JsonFind(source, key)) out[std::string(key)] = *value;
  }
  if (const Json* own = JsonFind(schema, "description")) out["description"] = *own;
  Type(source, out);
  Enumeration(source, out);
  std::string format = JsonString(source, "format");
  if (std::find(kFormats.begin(), kFormats.end(), format) != kFormats.end()) out["format"] = format;
  Properties(source, out, depth);
  Alternatives(source, out, depth);
  Parts(source, out, depth);
  const Json* items = JsonFind(source, "items");
  if (items != nullptr && items->is_object()) out["items"] = Clean(*items, depth + 1);
  bool array = out.contains("type") && out["type"] == "array";
  if (array && !out.contains("items")) out["items"] = {{"type", "string"}};
  if (!out.contains("type") && !out.contains("anyOf")) out["type"] = "string";
  return out;
}

}  // namespace

std::string CleanSchema(std::string_view schema) {
  absl::StatusOr<Json> parsed = ParseJson(schema, "tool schema");
  if (!parsed.ok()) return "";
  try {
    Json clean = Cleaner(*parsed).Clean(*parsed, 0);
    if (!clean.contains("properties")) return "";
    return DumpJson(clean);
  } catch (const std::exception&) {
    return "";
  }
}

}  // namespace talon::model
