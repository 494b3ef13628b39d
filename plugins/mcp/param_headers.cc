// SPDX-License-Identifier: Apache-2.0
#include "mcp/param_headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"

namespace talon::plugins::mcp {
namespace {

constexpr char kAnnotation[] = "x-mcp-header";
constexpr std::string_view kOpen = "=?base64?", kClose = "?=";
constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

bool IsPlain(std::string_view text) {
  if (text.starts_with(kOpen) && text.ends_with(kClose)) return false;
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (space(text.front()) || space(text.back()))) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Annotations anywhere below `schema`, whether they may be there or not. An argument or a value of
// that name is none.
std::size_t CountAnnotations(const Json& schema) {
  if (schema.is_array()) {
    std::size_t count = 0;
    for (const Json& item : schema) count += CountAnnotations(item);
    return count;
  }
  if (!schema.is_object()) return 0;
  std::size_t count = schema.contains(kAnnotation) ? 1 : 0;
  for (const auto& [key, value] : schema.items()) {
    if (key == kAnnotation || key == "const" || key == "enum" || key == "default" ||
        key == "examples") {
      continue;
    }
    if (key == "properties" || key == "$defs" || key == "definitions" ||
        key == "patternProperties" || key == "dependentSchemas") {
      for (const auto& [name, part] : value.items()) count += CountAnnotations(part);
    } else {
      count += CountAnnotations(value);
    }
  }
  return count;
}

absl::Status Collect(const Json& schema, std::vector<std::string>& path,
                     std::vector<ParamHeader>& out) {
  const Json& properties = MemberOf(schema, "properties");
  if (!properties.is_object()) return absl::OkStatus();
  for (const auto& [name, property] : properties.items()) {
    path.push_back(name);
    if (property.is_object() && property.contains(kAnnotation)) {
      const std::string header = StringOf(property, kAnnotation);
      const std::string type = StringOf(property, "type");
      if (!IsToken(header)) {
        return absl::InvalidArgumentError(
            fmt::format("argument '{}': {} is no header name", name, kAnnotation));
      }
      if (type != "string" && type != "integer" && type != "boolean") {
        return absl::InvalidArgumentError(fmt::format(
            "argument '{}': {} is for strings, integers and booleans only", name, kAnnotation));
      }
      out.push_back({path, "Mcp-Param-" + header});
    }
    if (absl::Status status = Collect(property, path, out); !status.ok()) return status;
    path.pop_back();
  }
  return absl::OkStatus();
}

}  // namespace

std::string HeaderValue(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  return fmt::format("{}{}{}", kOpen, absl::Base64Escape({text.data(), text.size()}), kClose);
}

Headers MethodHeaders(const std::string& method, const Json& params) {
  Headers out = {{"Mcp-Method", method}};
  if (method == "tools/call" || method == "prompts/get") {
    out.emplace_back("Mcp-Name", HeaderValue(StringOf(params, "name")));
  } else if (method == "resources/read") {
    out.emplace_back("Mcp-Name", HeaderValue(StringOf(params, "uri")));
  }
  return out;
}

absl::StatusOr<std::vector<ParamHeader>> FindParamHeaders(const Json& input_schema) {
  std::vector<ParamHeader> out;
  std::vector<std::string> path;
  if (absl::Status status = Collect(input_schema, path, out); !status.ok()) return status;
  if (CountAnnotations(input_schema) != out.size()) {
    return absl::InvalidArgumentError(
        fmt::format("{} at a place that arguments cannot be read from", kAnnotation));
  }
  std::set<std::string> names;
  for (const ParamHeader& param : out) {
    if (!names.insert(Lower(param.header)).second) {
      return absl::InvalidArgumentError(
          fmt::format("two arguments share the header {}", param.header));
    }
  }
  return out;
}

Headers ParamHeaderValues(const std::vector<ParamHeader>& params, const Json& arguments) {
  Headers out;
  for (const ParamHeader& param : params) {
    const Json* value = &arguments;
    for (const std::string& key : param.path) value = &MemberOf(*value, key);
    if (value->is_string()) {
      out.emplace_back(param.header, HeaderValue(value->get<std::string>()));
    } else if (value->is_boolean()) {
      out.emplace_back(param.header, value->get<bool>() ? "true" : "false");
    } else if (value->is_number_integer()) {
      const auto number = value->get<std::int64_t>();
      if (number > kMaxSafeInteger || number < -kMaxSafeInteger) continue;
      out.emplace_back(param.header, std::to_string(number));
    } else if (value->is_number()) {
      out.emplace_back(param.header, Dump(*value));
    }
  }
  return out;
}

}  // namespace talon::plugins::mcp
