// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/args.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace talon::sdk {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;

bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

const Json* Find(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

Args::Args() : json_(std::make_shared<const Json>(Json::object())) {}

absl::StatusOr<Args> Args::Parse(std::string_view text, std::string_view what) {
  if (TooDeep(text)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: nested deeper than {} levels", what, kMaxDepth));
  }
  try {
    auto parsed = std::make_shared<Json>(Json::parse(text));
    if (parsed->is_object()) return Args(std::move(parsed));
    return absl::InvalidArgumentError(
        fmt::format("{}: expected a JSON object, not {}", what, parsed->type_name()));
  } catch (const Json::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: not valid JSON at byte {}", what, error.byte));
  }
}

bool Args::Has(std::string_view name) const {
  return Find(*json_, name) != nullptr;
}

std::string Args::String(std::string_view name, std::string_view fallback) const {
  const Json* value = Find(*json_, name);
  if (value == nullptr || !value->is_string()) return std::string(fallback);
  return value->get<std::string>();
}

long Args::Int(std::string_view name, long fallback) const {
  const Json* value = Find(*json_, name);
  if (value == nullptr || !value->is_number()) return fallback;
  if (value->is_number_unsigned()) {
    constexpr unsigned long kMax = std::numeric_limits<long>::max();
    return static_cast<long>(std::min(value->get<unsigned long>(), kMax));
  }
  if (value->is_number_integer()) return value->get<long>();
  return static_cast<long>(std::clamp(value->get<double>(), -9e15, 9e15));
}

double Args::Double(std::string_view name, double fallback) const {
  const Json* value = Find(*json_, name);
  return value != nullptr && value->is_number() ? value->get<double>() : fallback;
}

bool Args::Bool(std::string_view name, bool fallback) const {
  const Json* value = Find(*json_, name);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

std::vector<std::string> Args::Strings(std::string_view name) const {
  std::vector<std::string> out;
  const Json* value = Find(*json_, name);
  if (value == nullptr || !value->is_array()) return out;
  for (const Json& element : *value) {
    if (element.is_string()) out.push_back(element.get<std::string>());
  }
  return out;
}

std::map<std::string, std::string> Args::StringMap(std::string_view name) const {
  std::map<std::string, std::string> out;
  const Json* value = Find(*json_, name);
  if (value == nullptr || !value->is_object()) return out;
  for (const auto& item : value->items()) {
    if (item.value().is_string()) out[item.key()] = item.value().get<std::string>();
  }
  return out;
}

}  // namespace talon::sdk
