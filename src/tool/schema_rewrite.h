// SPDX-License-Identifier: Apache-2.0
// A tool's schema as the validator is given it: local references put in place, annotations dropped,
// keywords that could run away bounded or refused. Pure function, any thread.
#pragma once

#include "absl/status/statusor.h"
#include "base/json.h"

namespace talon::tool {

// Where a `pattern` goes: the validator's own engine backtracks and recurses, so RE2 checks it.
inline constexpr char kPatternKeyword[] = "x-talon-pattern";

// Refuses (InvalidArgument) remote, missing and recursive references, more than 32 levels, more
// than 10,000 subschemas once references are in place, `patternProperties`, `multipleOf` not above
// 0.
absl::StatusOr<Json> RewriteSchema(const Json& root);

// Whether `uniqueItems` (quadratic in the validator) is asked for anywhere.
bool AsksForUniqueItems(const Json& schema);

}  // namespace talon::tool
