// SPDX-License-Identifier: Apache-2.0
// The texts inside a tool's schema, which a model reads as it reads a description. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon::guard {

// `schema` with its titles, descriptions, comments, examples and defaults made harmless
// (SanitizeUntrusted); the text itself when there was nothing to do or it is no JSON.
// InvalidArgument when a property's name, a choice or a pattern holds a form: what it means cannot
// be changed.
absl::StatusOr<std::string> SanitizeSchema(std::string_view schema);

}  // namespace talon::guard
