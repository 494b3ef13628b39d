// SPDX-License-Identifier: Apache-2.0
// JSON written as text: requests carry whole histories, so they are appended to one string and no
// document tree is built. Pure functions, any thread; private to the room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace talon::model {

// Appends JSON to a string and puts the commas; the caller nests correctly. The last character
// written decides whether a comma is due, so raw text may be appended between calls.
class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out) {}
  JsonText& Open(char bracket);  // '{' or '['
  JsonText& Close(char bracket);
  JsonText& Key(std::string_view name);  // must need no escaping
  JsonText& String(std::string_view value);
  JsonText& Raw(std::string_view json);
  JsonText& Int(std::int64_t value);
  JsonText& Double(double value);  // 0 when not finite
  JsonText& Bool(bool value) { return Raw(value ? "true" : "false"); }
  JsonText& Member(std::string_view key, std::string_view value) { return Key(key).String(value); }
  std::string& out() { return out_; }

 private:
  void Comma();
  std::string& out_;
};

// Strictly RFC 8259 and at most 64 levels deep: such text may be spliced into a request.
bool IsJson(std::string_view text);
bool IsJsonObject(std::string_view text);

// Tool arguments as an object: as they are; {} when empty; {"raw":"…"} when no JSON object.
void AppendArguments(std::string& out, std::string_view arguments);

// A tool's schema as it is, or that of an object without properties when it is {} or no JSON
// object.
void AppendSchema(std::string& out, std::string_view schema);

// Members of an object a provider sent: text and counts, empty and 0 when absent, null, of another
// type or negative; counts end at 10^12. The text lives as long as `object`.
std::string_view TextAt(const Json& object, std::string_view key);
std::int64_t CountAt(const Json& object, std::string_view key);

// Parses what a provider sent. Invalid UTF-8 and halves of surrogate pairs, which some servers cut
// between two events, become U+FFFD.
absl::StatusOr<Json> ParseProviderJson(std::string_view text, std::string_view what);

}  // namespace talon::model
