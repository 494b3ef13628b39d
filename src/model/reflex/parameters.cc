// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/parameters.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "model/reflex/phrases.h"

namespace talon::model::reflex {
namespace {

ParameterKind KindOf(std::string_view name, std::string_view type, const Parameter& parameter) {
  if (type == "integer" || type == "number") return ParameterKind::kNumber;
  if (type == "boolean") return ParameterKind::kBoolean;
  if (type != "string") return ParameterKind::kOther;
  if (!parameter.choices.empty()) return ParameterKind::kWord;
  const std::string lower = ToLowerAscii(name);
  if (In({"path", "file", "filename", "file_path", "filepath", "folder"}, lower) ||
      (parameter.required && In({"directory", "dir"}, lower))) {
    return ParameterKind::kPath;
  }
  if (In({"url", "uri", "link", "endpoint"}, lower)) return ParameterKind::kUrl;
  if (lower == "method") return ParameterKind::kMethod;
  if (In({"content", "text", "command", "cmd", "script", "query", "q", "pattern", "body", "message",
          "prompt", "input", "question", "data", "expression", "code"},
         lower)) {
    return ParameterKind::kText;
  }
  return ParameterKind::kWord;
}

std::string_view TypeOf(const Json& schema) {
  const Json* type = JsonFind(schema, "type");
  if (type != nullptr && type->is_array() && !type->empty()) type = &type->front();
  if (type == nullptr || !type->is_string()) return "";
  return type->get_ref<const std::string&>();
}

}  // namespace

std::vector<Parameter> ParametersOf(const ToolDefinition& tool) {
  std::vector<Parameter> parameters;
  const auto schema = ParseJson(tool.schema, "schema");
  if (!schema.ok()) return parameters;
  const Json* properties = JsonFind(*schema, "properties");
  if (properties == nullptr || !properties->is_object()) return parameters;
  std::vector<std::string> order;
  const Json* required = JsonFind(*schema, "required");
  if (required != nullptr && required->is_array()) {
    for (const Json& name : *required) {
      if (name.is_string() && properties->contains(name.get_ref<const std::string&>())) {
        order.push_back(name.get<std::string>());
      }
    }
  }
  const std::size_t required_count = order.size();
  for (const auto& [name, part] : properties->items()) {
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Json& part = (*properties)[order[i]];
    Parameter parameter;
    parameter.name = order[i];
    parameter.required = i < required_count;
    if (const Json* choices = JsonFind(part, "enum"); choices != nullptr && choices->is_array()) {
      for (const Json& choice : *choices) {
        if (choice.is_string()) parameter.choices.push_back(choice.get<std::string>());
      }
    }
    const std::string_view type = TypeOf(part);
    parameter.integer = type == "integer";
    parameter.kind = KindOf(parameter.name, type, parameter);
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

std::string ExampleArguments(const std::vector<Parameter>& parameters) {
  std::string example = "{";
  for (const Parameter& parameter : parameters) {
    if (!parameter.required) continue;
    if (example.size() > 1) example += ", ";
    AppendJsonString(example, parameter.name);
    example += parameter.kind == ParameterKind::kNumber ? ": 1" : ": \"…\"";
  }
  return example + "}";
}

}  // namespace talon::model::reflex
