// SPDX-License-Identifier: Apache-2.0
#include "tool/schema_fit.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/status.h"
#include "base/text.h"

namespace talon::tool {
namespace {

enum Types : unsigned {
  kAny = 0,
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kNumber = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
};
constexpr std::pair<std::string_view, unsigned> kTypeNames[] = {
    {"null", kNull},     {"boolean", kBoolean}, {"integer", kInteger}, {"number", kNumber},
    {"string", kString}, {"array", kArray},     {"object", kObject}};

unsigned TypeNamed(const Json& name) {
  if (!name.is_string()) return kAny;
  for (const auto& [text, bit] : kTypeNames) {
    if (name.get_ref<const std::string&>() == text) return bit;
  }
  return kAny;
}

// The types a schema takes, kAny when it does not say.
unsigned TypesOf(const Json& schema) {
  if (const Json* type = JsonFind(schema, "type"); type != nullptr) {
    if (!type->is_array()) return TypeNamed(*type);
    unsigned types = kAny;
    for (const Json& name : *type) types |= TypeNamed(name);
    return types;
  }
  for (const char* key : {"anyOf", "oneOf"}) {
    const Json* branches = JsonFind(schema, key);
    if (branches == nullptr || !branches->is_array()) continue;
    unsigned types = kAny;
    for (const Json& branch : *branches) {
      const unsigned part = TypesOf(branch);
      if (part == kAny) return kAny;
      types |= part;
    }
    return types;
  }
  return JsonFind(schema, "properties") != nullptr ? kObject : kAny;
}

unsigned TypeOf(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kNull;
    case Json::value_t::boolean:
      return kBoolean;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return kInteger | kNumber;
    case Json::value_t::number_float:
      return kNumber;
    case Json::value_t::string:
      return kString;
    case Json::value_t::array:
      return kArray;
    default:
      return kObject;
  }
}

std::string TypesText(unsigned types) {
  std::vector<std::string_view> names;
  for (const auto& [text, bit] : kTypeNames) {
    if ((types & bit) != 0) names.push_back(text);
  }
  return fmt::format("{}", fmt::join(names, " or "));
}

std::string Excerpt(const Json& value) {
  constexpr std::size_t kMost = 60;
  const std::string text = DumpJson(value);
  if (text.size() <= kMost) return text;
  return std::string(TruncateUtf8(text, kMost)) + "…";
}

absl::Status Invalid(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArguments, message);
}

// The schema itself, or its one branch that is not null (`X | null`).
const Json& Shape(const Json& schema) {
  for (const char* key : {"anyOf", "oneOf"}) {
    const Json* branches = JsonFind(schema, key);
    if (branches == nullptr || !branches->is_array()) continue;
    const Json* only = nullptr;
    for (const Json& branch : *branches) {
      if (TypesOf(branch) == kNull) continue;
      if (only != nullptr) return schema;
      only = &branch;
    }
    if (only != nullptr) return *only;
  }
  return schema;
}

void CoerceString(unsigned wanted, Json& value) {
  const std::string text(TrimSpace(value.get_ref<const std::string&>()));
  if ((wanted & kBoolean) != 0) {
    if (EqualsIgnoreCase(text, "true")) value = true;
    if (EqualsIgnoreCase(text, "false")) value = false;
    if (value.is_boolean()) return;
  }
  if (text.empty() || (wanted & (kInteger | kNumber | kArray | kObject)) == 0) return;
  auto parsed = ParseJson(text, "argument");
  if (!parsed.ok() || parsed->is_string()) return;
  if (parsed->is_number_float() && (wanted & kNumber) == 0) return;
  if ((TypeOf(*parsed) & wanted & ~unsigned{kNull}) != 0) value = *std::move(parsed);
}

void Coerce(unsigned wanted, const Json& schema, Json& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value.is_number_float() && (wanted & kInteger) != 0) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) < kExact) {
      value = static_cast<std::int64_t>(number);
    }
  } else if (value.is_number_integer() && (wanted & ~unsigned{kNull}) == kString) {
    value = DumpJson(value);
  } else if (value.is_string()) {
    CoerceString(wanted, value);
  }
  if ((TypeOf(value) & wanted) != 0 || (wanted & kArray) == 0 || value.is_structured() ||
      value.is_null()) {
    return;
  }
  const Json* items = JsonFind(Shape(schema), "items");
  const unsigned inner = items == nullptr ? unsigned{kAny} : TypesOf(*items);
  if (inner != kAny && (inner & (kArray | kObject)) == 0) value = Json::array({value});
}

class Fitter {
 public:
  absl::Status Fit(const Json& schema, const std::string& path, Json& value) {
    const unsigned types = TypesOf(schema);
    if (types != kAny && (TypeOf(value) & types) == 0) {
      Coerce(types, schema, value);
      if ((TypeOf(value) & types) == 0) {
        return Invalid(
            fmt::format("{} must be {}, is {}", Named(path), TypesText(types), Excerpt(value)));
      }
    }
    TALON_RETURN_IF_ERROR(CheckEnum(schema, path, value));
    const Json& shape = Shape(schema);
    if (value.is_object()) return FitObject(shape, path, value);
    if (value.is_array()) {
      const Json* items = JsonFind(shape, "items");
      if (items == nullptr || !items->is_object()) return absl::OkStatus();
      for (std::size_t i = 0; i < value.size(); ++i) {
        TALON_RETURN_IF_ERROR(Fit(*items, fmt::format("{}[{}]", path, i), value[i]));
      }
    }
    return absl::OkStatus();
  }

 private:
  static std::string Named(const std::string& path) {
    return path.empty() ? "the arguments" : fmt::format("argument '{}'", path);
  }

  static absl::Status CheckEnum(const Json& schema, const std::string& path, const Json& value) {
    const Json* allowed = JsonFind(schema, "enum");
    if (allowed == nullptr || !allowed->is_array() ||
        std::find(allowed->begin(), allowed->end(), value) != allowed->end()) {
      return absl::OkStatus();
    }
    std::vector<std::string> texts;
    for (const Json& item : *allowed) {
      texts.push_back(Excerpt(item));
      if (texts.size() == 20) {
        texts.push_back("…");
        break;
      }
    }
    return Invalid(fmt::format("{} must be one of {}; is {}", Named(path), fmt::join(texts, ", "),
                               Excerpt(value)));
  }

  static absl::Status CheckUnknown(const Json& schema, const std::string& path, const Json& value) {
    const Json* additional = JsonFind(schema, "additionalProperties");
    const bool closed =
        additional == nullptr ? path.empty() : additional->is_boolean() && !additional->get<bool>();
    if (!closed) return absl::OkStatus();
    const std::vector<std::string> names = PropertyNames(schema);
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [key, item] : value.items()) {
      if (std::binary_search(names.begin(), names.end(), key)) continue;
      const std::string shown = prefix + std::string(TruncateUtf8(key, 80));
      if (names.empty()) {
        return Invalid(fmt::format("argument '{}' is not known; none are allowed", shown));
      }
      const std::string_view nearest = Nearest(key, {names.begin(), names.end()});
      return Invalid(fmt::format("argument '{}' is not known; allowed: {}{}", shown,
                                 fmt::join(names, ", "),
                                 nearest.empty() ? "" : fmt::format("; nearest: {}", nearest)));
    }
    return absl::OkStatus();
  }

  static std::vector<std::string> Required(const Json& schema) {
    std::vector<std::string> names;
    const Json* required = JsonFind(schema, "required");
    if (required == nullptr || !required->is_array()) return names;
    for (const Json& name : *required) {
      if (name.is_string()) names.push_back(name.get<std::string>());
    }
    return names;
  }

  absl::Status FitObject(const Json& schema, const std::string& path, Json& value) {
    const std::string prefix = path.empty() ? "" : path + ".";
    const std::vector<std::string> required = Required(schema);
    if (const Json* properties = JsonFind(schema, "properties"); properties != nullptr) {
      for (const auto& [name, part] : properties->items()) {
        const auto it = value.find(name);
        if (it == value.end()) continue;
        const unsigned types = TypesOf(part);
        if (it->is_null() && types != kAny && (types & kNull) == 0 &&
            std::find(required.begin(), required.end(), name) == required.end()) {
          value.erase(it);
          continue;
        }
        TALON_RETURN_IF_ERROR(Fit(part, prefix + name, *it));
      }
    }
    TALON_RETURN_IF_ERROR(CheckUnknown(schema, path, value));
    for (const std::string& name : required) {
      if (value.contains(name)) continue;
      return Invalid(fmt::format("argument '{}{}' is missing; required: {}", prefix, name,
                                 fmt::join(required, ", ")));
    }
    return absl::OkStatus();
  }
};

void CollectNames(const Json& schema, std::set<std::string>& names) {
  if (!schema.is_object()) return;
  if (const Json* properties = JsonFind(schema, "properties"); properties != nullptr) {
    for (const auto& [name, part] : properties->items()) names.insert(name);
  }
  for (const char* key : {"allOf", "anyOf", "oneOf"}) {
    if (const Json* branches = JsonFind(schema, key); branches != nullptr) {
      for (const Json& branch : *branches) CollectNames(branch, names);
    }
  }
  for (const char* key : {"if", "then", "else"}) {
    if (const Json* branch = JsonFind(schema, key); branch != nullptr) CollectNames(*branch, names);
  }
}

}  // namespace

absl::Status FitArguments(const Json& schema, Json& arguments) {
  return Fitter().Fit(schema, "", arguments);
}

std::vector<std::string> PropertyNames(const Json& schema) {
  std::set<std::string> names;
  CollectNames(schema, names);
  return {names.begin(), names.end()};
}

}  // namespace talon::tool
