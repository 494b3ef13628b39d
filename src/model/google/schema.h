// SPDX-License-Identifier: Apache-2.0
// JSON Schema as Gemini's function declarations take it: a subset of OpenAPI 3.0. Any thread;
// private to the room.
#pragma once

#include <string>
#include <string_view>

namespace talon::model {

// The `parameters` text for `schema`: unknown keywords are dropped, local $refs put in place,
// oneOf/allOf/const and lists of types expressed by what there is. Empty when nothing remains to
// declare (no properties), where the field must be left out.
std::string CleanSchema(std::string_view schema);

}  // namespace talon::model
