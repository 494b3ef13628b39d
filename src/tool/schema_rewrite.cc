// SPDX-License-Identifier: Apache-2.0
#include "tool/schema_rewrite.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace talon::tool {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxSubschemas = 10'000;

enum class Keyword { kCopy, kDrop, kSchema, kSchemaList, kSchemaMap, kRefuse };

Keyword KindOf(std::string_view key) {
  constexpr std::string_view kDropped[] = {
      "$schema",         "$id",         "id",       "$comment",    "$anchor", "$vocabulary",
      "$defs",           "definitions", "title",    "description", "default", "examples",
      "example",         "deprecated",  "readOnly", "writeOnly",   "format",  "contentEncoding",
      "contentMediaType"};
  constexpr std::string_view kSchemas[] = {"not",
                                           "if",
                                           "then",
                                           "else",
                                           "contains",
                                           "propertyNames",
                                           "additionalProperties",
                                           "additionalItems"};
  constexpr std::string_view kLists[] = {"allOf", "anyOf", "oneOf"};
  constexpr std::string_view kRefused[] = {"patternProperties", "$dynamicRef", "$recursiveRef",
                                           "unevaluatedProperties", "unevaluatedItems"};
  const auto in = [key](const auto& names) {
    return std::find(std::begin(names), std::end(names), key) != std::end(names);
  };
  if (in(kDropped)) return Keyword::kDrop;
  if (in(kSchemas)) return Keyword::kSchema;
  if (in(kLists)) return Keyword::kSchemaList;
  if (key == "properties") return Keyword::kSchemaMap;
  if (in(kRefused)) return Keyword::kRefuse;
  return Keyword::kCopy;
}

class Rewriter {
 public:
  explicit Rewriter(const Json& root) : root_(root) {}

  absl::StatusOr<Json> Rewrite(const Json& node, std::size_t depth) {
    if (depth > kMaxDepth) {
      return InvalidArgument(fmt::format("schema is nested deeper than {} levels", kMaxDepth));
    }
    if (++count_ > kMaxSubschemas) {
      return InvalidArgument(fmt::format("schema has more than {} parts", kMaxSubschemas));
    }
    if (node.is_boolean()) {
      return node.get<bool>() ? Json(Json::object()) : Json{{"not", Json::object()}};
    }
    if (!node.is_object()) return InvalidArgument("schema holds something that is no schema");
    if (const Json* ref = JsonFind(node, "$ref"); ref != nullptr) {
      return RewriteReference(node, *ref, depth);
    }
    Json result = Json::object();
    for (const auto& [key, value] : node.items()) {
      TALON_RETURN_IF_ERROR(RewriteKeyword(key, value, depth, result));
    }
    return result;
  }

 private:
  absl::StatusOr<Json> RewriteReference(const Json& node, const Json& ref, std::size_t depth) {
    if (!ref.is_string()) return InvalidArgument("schema has a $ref that is no string");
    const auto& text = ref.get_ref<const std::string&>();
    if (text.empty() || text[0] != '#') {
      return InvalidArgument(fmt::format("schema refers to '{}': only '#/…' is allowed", text));
    }
    if (std::find(open_.begin(), open_.end(), text) != open_.end()) {
      return InvalidArgument(fmt::format("schema refers to '{}' from within itself", text));
    }
    const Json* target = nullptr;
    try {
      const Json::json_pointer pointer(text.substr(1));
      if (root_.contains(pointer)) target = &root_.at(pointer);
    } catch (const std::exception&) {
    }
    if (target == nullptr) {
      return InvalidArgument(fmt::format("schema refers to '{}', which it does not have", text));
    }
    open_.push_back(text);
    auto result = Rewrite(*target, depth + 1);
    open_.pop_back();
    if (!result.ok()) return result;
    Json siblings = node;
    siblings.erase("$ref");
    TALON_ASSIGN_OR_RETURN(Json rest, Rewrite(siblings, depth + 1));
    if (rest.empty()) return result;
    return Json{{"allOf", Json::array({*std::move(result), std::move(rest)})}};
  }

  absl::Status RewriteKeyword(const std::string& key, const Json& value, std::size_t depth,
                              Json& result) {
    const Keyword kind = KindOf(key);
    if (kind == Keyword::kRefuse) {
      return InvalidArgument(fmt::format("schema uses '{}', which is not supported", key));
    }
    if (kind == Keyword::kDrop || (value.is_null() && key != "const")) return absl::OkStatus();
    if (kind == Keyword::kSchema || (key == "items" && !value.is_array())) {
      // Booleans stay: the validator reads them there.
      if (value.is_boolean() && key.starts_with("additional")) {
        result[key] = value;
        return absl::OkStatus();
      }
      TALON_ASSIGN_OR_RETURN(result[key], Rewrite(value, depth + 1));
      return absl::OkStatus();
    }
    if (kind == Keyword::kSchemaList || key == "items") {
      if (!value.is_array()) return InvalidArgument(fmt::format("'{}' must be a list", key));
      Json list = Json::array();
      for (const Json& item : value) {
        TALON_ASSIGN_OR_RETURN(Json part, Rewrite(item, depth + 1));
        list.push_back(std::move(part));
      }
      result[key] = std::move(list);
      return absl::OkStatus();
    }
    if (kind == Keyword::kSchemaMap) {
      if (!value.is_object()) return InvalidArgument(fmt::format("'{}' must be an object", key));
      Json map = Json::object();
      for (const auto& [name, item] : value.items()) {
        TALON_ASSIGN_OR_RETURN(map[name], Rewrite(item, depth + 1));
      }
      result[key] = std::move(map);
      return absl::OkStatus();
    }
    return RewritePlain(key, value, result);
  }

  static absl::Status RewritePlain(const std::string& key, const Json& value, Json& result) {
    if (key == "multipleOf" && (!value.is_number() || !(value.get<double>() > 0))) {
      return InvalidArgument("'multipleOf' must be a number above 0");
    }
    if (key == "dependencies" &&
        (!value.is_object() || std::any_of(value.begin(), value.end(),
                                           [](const Json& item) { return !item.is_array(); }))) {
      return InvalidArgument("'dependencies' must list argument names");
    }
    result[key == "pattern" ? kPatternKeyword : key] = value;
    return absl::OkStatus();
  }

  const Json& root_;
  std::vector<std::string> open_;  // references being put in place
  std::size_t count_ = 0;
};

}  // namespace

absl::StatusOr<Json> RewriteSchema(const Json& root) {
  return Rewriter(root).Rewrite(root, 0);
}

bool AsksForUniqueItems(const Json& schema) {
  if (schema.is_object()) {
    const auto it = schema.find("uniqueItems");
    if (it != schema.end() && it->is_boolean() && it->get<bool>()) return true;
  }
  return schema.is_structured() && std::any_of(schema.begin(), schema.end(), [](const Json& part) {
           return AsksForUniqueItems(part);
         });
}

}  // namespace talon::tool
