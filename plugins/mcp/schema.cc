// SPDX-License-Identifier: Apache-2.0
#include "mcp/schema.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxSchemaBytes = 64 << 10;
constexpr int kMaxSchemaDepth = 24;  // the daemon takes 32, references in place
constexpr std::size_t kMaxText = 500;
constexpr std::size_t kMaxNodes = 5'000;
constexpr std::size_t kMaxNames = 32;

// Keywords whose value is a schema, a list of them, or a map to them.
const std::set<std::string_view> kSchemas = {"not",
                                             "if",
                                             "then",
                                             "else",
                                             "contains",
                                             "propertyNames",
                                             "items",
                                             "additionalProperties",
                                             "additionalItems"};
const std::set<std::string_view> kLists = {"allOf", "anyOf", "oneOf", "prefixItems"};
const std::set<std::string_view> kMaps = {"properties", "$defs", "definitions"};
const std::set<std::string_view> kDropped = {"patternProperties",
                                             "$dynamicRef",
                                             "$recursiveRef",
                                             "$dynamicAnchor",
                                             "unevaluatedProperties",
                                             "unevaluatedItems",
                                             "$id",
                                             "id",
                                             "examples",
                                             "$comment",
                                             "x-mcp-header",
                                             "dependentSchemas"};

class Fitter {
 public:
  explicit Fitter(const Json& root) : root_(root) {}

  Json Fit(const Json& node, int depth) {
    if (node.is_boolean()) return node;
    if (!node.is_object() || depth > kMaxSchemaDepth || ++nodes_ > kMaxNodes) return Json::object();
    const std::string reference = StringOf(node, "$ref");
    if (node.contains("$ref") && !Usable(reference)) return Json::object();
    Json out = Json::object();
    for (const auto& [key, value] : node.items()) FitKeyword(key, value, depth, out);
    return out;
  }

  // True when `reference` is to a part of this schema that does not lead back to itself.
  bool Usable(const std::string& reference) {
    if (!reference.starts_with('#')) return false;
    std::vector<std::string> path;
    return !LeadsBack(reference, path);
  }

 private:
  void FitKeyword(const std::string& key, const Json& value, int depth, Json& out) {
    if (kDropped.contains(key)) return;
    if (kSchemas.contains(key) && value.is_array()) {  // `items` of old
      out[key] = List(value, depth);
    } else if (kSchemas.contains(key)) {
      out[key] = Fit(value, depth + 1);
    } else if (kLists.contains(key)) {
      if (value.is_array() && !value.empty()) out[key] = List(value, depth);
    } else if (kMaps.contains(key)) {
      if (!value.is_object()) return;
      out[key] = Json::object();
      for (const auto& [name, part] : value.items()) out[key][name] = Fit(part, depth + 1);
    } else if ((key == "description" || key == "title") && value.is_string()) {
      out[key] = sdk::TruncateUtf8(value.get_ref<const std::string&>(), kMaxText);
    } else {
      out[key] = value;
    }
  }

  Json List(const Json& value, int depth) {
    Json list = Json::array();
    for (const Json& part : value) list.push_back(Fit(part, depth + 1));
    return list;
  }

  bool LeadsBack(const std::string& reference, std::vector<std::string>& path) {
    if (std::find(path.begin(), path.end(), reference) != path.end()) return true;
    const Json* target = nullptr;
    try {
      const Json::json_pointer pointer(reference.substr(1));
      if (root_.contains(pointer)) target = &root_.at(pointer);
    } catch (const std::exception&) {
    }
    if (target == nullptr || path.size() > static_cast<std::size_t>(kMaxSchemaDepth)) return true;
    path.push_back(reference);
    const bool back = HasBadReference(*target, path, 0);
    path.pop_back();
    return back;
  }

  bool HasBadReference(const Json& node, std::vector<std::string>& path, int depth) {
    if (depth > 2 * kMaxSchemaDepth || ++visits_ > kMaxNodes) return true;
    if (node.is_object()) {
      const Json& reference = MemberOf(node, "$ref");
      if (reference.is_string()) {
        const auto& text = reference.get_ref<const std::string&>();
        if (text.starts_with('#') && LeadsBack(text, path)) return true;
      }
    }
    if (!node.is_structured()) return false;
    return std::any_of(node.begin(), node.end(),
                       [&](const Json& part) { return HasBadReference(part, path, depth + 1); });
  }

  const Json& root_;
  std::size_t nodes_ = 0, visits_ = 0;
};

}  // namespace

Json FitSchema(const Json& schema) {
  const Json any = {{"type", "object"}};
  const Json& type = MemberOf(schema, "type");
  if (!schema.is_object() || (!type.is_null() && type != "object")) return any;
  Json out = Fitter(schema).Fit(schema, 0);
  out["type"] = "object";
  return Dump(out).size() <= kMaxSchemaBytes ? out : any;
}

std::vector<std::string> ArgumentNames(const Json& schema) {
  std::vector<std::string> out;
  const Json& properties = MemberOf(schema, "properties");
  if (!properties.is_object()) return out;
  for (const auto& [name, part] : properties.items()) {
    if (out.size() < kMaxNames) out.push_back(name);
  }
  return out;
}

}  // namespace talon::plugins::mcp
