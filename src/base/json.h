// SPDX-License-Identifier: Apache-2.0
// JSON without exceptions. Include <nlohmann/json.hpp> in the .cc that takes a document apart;
// headers need only this. Any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon {

using Json = nlohmann::json;

// Parses `text`; `what` names it in the error ("request body"), which gives the byte offset.
// Refuses nesting beyond 128 levels.
absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what);

// One line; invalid UTF-8 becomes U+FFFD (so it never throws).
std::string DumpJson(const Json& value);

// Appends `text` as a JSON string with quotes. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

// Typed reads of an object's member; `fallback` when absent or of another type.
std::string JsonString(const Json& object, std::string_view key, std::string_view fallback = "");
long JsonInt(const Json& object, std::string_view key, long fallback = 0);
double JsonDouble(const Json& object, std::string_view key, double fallback = 0);
bool JsonBool(const Json& object, std::string_view key, bool fallback = false);
// The member, or nullptr when `object` is no object or has no such member.
const Json* JsonFind(const Json& object, std::string_view key);

}  // namespace talon
