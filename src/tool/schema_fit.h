// SPDX-License-Identifier: Apache-2.0
// Puts right what a schema leaves no doubt about, and says in plain words what is wrong otherwise.
// Looks at types, enums, required and unknown arguments along properties and items; the validator
// checks the rest. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/json.h"

namespace talon::tool {

// `schema` as RewriteSchema made it. "5" → 5, "true" → true, 5.0 → 5, a scalar → [scalar], a JSON
// text → its object or array, each only where the schema takes nothing else; null for an optional
// argument is dropped.
absl::Status FitArguments(const Json& schema, Json& arguments);

// Every property the root or one of its branches knows, sorted.
std::vector<std::string> PropertyNames(const Json& schema);

}  // namespace talon::tool
