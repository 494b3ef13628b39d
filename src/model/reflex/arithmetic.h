// SPDX-License-Identifier: Apache-2.0
// Sums: + - * / % ^, parentheses, decimals; ^ binds to the right. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon::model::reflex {

// InvalidArgument when `text` is no expression or has no operator, OutOfRange when it is one but
// has no value (division by zero, too large).
absl::StatusOr<double> Evaluate(std::string_view text);

// Whole numbers without a point, others with at most 12 digits.
std::string FormatNumber(double value);

}  // namespace talon::model::reflex
