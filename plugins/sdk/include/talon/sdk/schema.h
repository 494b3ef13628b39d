// SPDX-License-Identifier: Apache-2.0
// A small builder for the JSON Schema of a tool's arguments (or of a plugin's configuration):
//
//   Object()
//       .Required("path", String("File to read"))
//       .Optional("limit", Integer("Lines").Min(1).Max(2000))
//
// Descriptions cost the model tokens at every turn: leave out what the name already says. The
// SDK checks arguments against what is built here (known names, required ones, types) before a
// handler sees them; ranges and patterns are checked by the daemon. Values, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace talon::sdk {

enum class ValueType { kString, kInteger, kNumber, kBoolean, kArray, kObject };

class Value {
 public:
  Value(ValueType type, std::string_view description);

  Value& Min(long minimum);
  Value& Max(long maximum);
  Value& OneOf(const std::vector<std::string>& values);
  // Adds `json` (a complete value) under `keyword`, for what the builder does not know.
  Value& With(std::string_view keyword, std::string_view json);

  ValueType type() const { return type_; }
  std::string Json() const;

 private:
  ValueType type_;
  std::string members_;  // comma-separated members of the schema object
};

Value String(std::string_view description = "");
Value Integer(std::string_view description = "");
Value Number(std::string_view description = "");
Value Boolean(std::string_view description = "");
// Elements of one kind.
Value ArrayOf(const Value& element, std::string_view description = "");
// An object with free names and values of one kind.
Value MapOf(const Value& value, std::string_view description = "");

class Schema {
 public:
  // A JSON Schema that was written elsewhere, as it is. Arguments are then checked by the daemon
  // only; Has() answers true for every name.
  static Schema FromJson(std::string json);

  Schema& Required(std::string_view name, const Value& value);
  Schema& Optional(std::string_view name, const Value& value);

  // One line of JSON Schema.
  std::string Json() const;
  bool Has(std::string_view name) const;
  bool empty() const { return members_.empty() && whole_.empty(); }
  // Checks an object: InvalidArgument names the member and what is wrong, such as
  // "argument 'pth' is not known; known are: path, limit". `what` is "argument" or "option".
  absl::Status Check(const nlohmann::json& object, std::string_view what) const;

 private:
  struct Member {
    std::string name;
    ValueType type;
    bool required;
    std::string json;
  };
  std::vector<Member> members_;
  std::string whole_;  // instead of members
};

inline Schema Object() {
  return {};
}

}  // namespace talon::sdk
