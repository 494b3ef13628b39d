// SPDX-License-Identifier: Apache-2.0
// A compiled JSON Schema of a tool's arguments (valijson). Refuses at compile time what could run
// away: remote or recursive references, nesting over 32, more than 64 KB. Any thread once compiled.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::tool {

class Schema {
 public:
  // `text` must be an object schema; an empty text is {"type":"object"}.
  static absl::StatusOr<std::shared_ptr<const Schema>> Compile(std::string_view text);
  virtual ~Schema() = default;
  // Checks `arguments` (JSON text). Errors name the argument, the rule and the allowed names:
  // "argument 'pth' is not known; allowed: path, limit". Numbers and booleans given as strings, and
  // the like, are put right in `*coerced` where the schema leaves no doubt.
  virtual absl::Status Validate(std::string_view arguments, std::string* coerced) const = 0;
  virtual const std::vector<std::string>& property_names() const = 0;
};

}  // namespace talon::tool
