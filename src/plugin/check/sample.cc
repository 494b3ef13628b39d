// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/sample.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tool/schema.h"

namespace talon::plugin::check {
namespace {

constexpr int kMaxDepth = 8;
constexpr std::string_view kUnicode = "Grüße €🙂";

std::string TypeOf(const Json& schema) {
  const auto type = schema.find("type");
  if (type == schema.end()) return "";
  if (type->is_array()) return type->empty() || !(*type)[0].is_string() ? "" : (*type)[0];
  return type->is_string() ? type->get<std::string>() : "";
}

Json NumberFor(const Json& schema) {
  for (const char* bound : {"minimum", "maximum"}) {
    if (schema.contains(bound) && schema[bound].is_number()) return schema[bound];
  }
  return 1;
}

// `text`: what a free text is.
Json ValueFor(const Json& schema, std::string_view text, int depth);

Json ObjectFor(const Json& schema, std::string_view text, int depth) {
  Json object = Json::object();
  const Json properties = schema.value("properties", Json::object());
  for (const Json& name : schema.value("required", Json::array())) {
    if (!name.is_string()) continue;
    const std::string key = name;
    object[key] = ValueFor(properties.value(key, Json::object()), text, depth + 1);
  }
  return object;
}

Json ValueFor(const Json& schema, std::string_view text, int depth) {
  if (!schema.is_object() || depth > kMaxDepth) return "";
  if (schema.contains("const")) return schema["const"];
  for (const char* list : {"enum", "examples"}) {
    if (schema.contains(list) && schema[list].is_array() && !schema[list].empty()) {
      return schema[list][0];
    }
  }
  if (schema.contains("default")) return schema["default"];
  const std::string type = TypeOf(schema);
  if (type == "integer" || type == "number") return NumberFor(schema);
  if (type == "boolean") return false;
  if (type == "object") return ObjectFor(schema, text, depth);
  if (type == "array") {
    Json array = Json::array();
    const std::size_t least = JsonInt(schema, "minItems", 0) > 0 ? 1 : 0;
    if (least > 0)
      array.push_back(ValueFor(schema.value("items", Json::object()), text, depth + 1));
    return array;
  }
  return std::string(text);
}

// A value that no schema of `type` takes.
Json Misfit(const std::string& type) {
  if (type == "object" || type == "array") return 7;
  return Json::array({Json::object()});
}

bool Fits(const tool::Schema& schema, const Json& arguments) {
  std::string coerced;
  return schema.Validate(DumpJson(arguments), &coerced).ok();
}

}  // namespace

std::optional<Samples> MakeSamples(const std::string& schema_text) {
  const auto compiled = tool::Schema::Compile(schema_text);
  auto parsed = ParseJson(schema_text.empty() ? "{}" : schema_text, "schema");
  if (!compiled.ok() || !parsed.ok() || !parsed->is_object()) return std::nullopt;
  const Json& schema = *parsed;
  const Json fitting = ObjectFor(schema, "sample", 0);
  if (!Fits(**compiled, fitting)) return std::nullopt;
  Samples samples;
  samples.fitting = DumpJson(fitting);
  if (const Json unicode = ObjectFor(schema, kUnicode, 0);
      unicode != fitting && Fits(**compiled, unicode)) {
    samples.unicode = DumpJson(unicode);
  }
  if (!fitting.empty()) {
    Json without = fitting;
    without.erase(without.begin());
    samples.missing = DumpJson(without);
  }
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    const std::string type = property.is_object() ? TypeOf(property) : "";
    Json wrong = fitting;
    wrong[name] = Misfit(type);
    if (type.empty() || Fits(**compiled, wrong)) continue;
    samples.wrong_type = DumpJson(wrong);
    break;
  }
  return samples;
}

}  // namespace talon::plugin::check
