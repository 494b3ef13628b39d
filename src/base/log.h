// SPDX-License-Identifier: Apache-2.0
// The log facade: a constant message and fields. JSON lines in the daemon, text on a terminal, to
// stderr. Values pass the redactor. Never log prompts, arguments or headers above debug.
//   log::Warn("plugin crashed", {{"plugin", name}, {"exit_code", code}});
// error = a subsystem is going down; warn = the operator should act; info = rare, never fillable
// from outside; debug = for who reads the code. Thread-safe.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace talon {
class Redactor;
}

namespace talon::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };
enum class Format { kAuto, kText, kJson };

struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, double v) : key(k), value(std::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

// Call once at start, before other threads log. `redactor` must outlive all logging; may be null.
void Configure(Level level, Format format, const Redactor* redactor);
void SetLevel(Level level);
bool Enabled(Level level);
void Write(Level level, std::string_view message, Fields fields);

inline void Debug(std::string_view message, Fields fields = {}) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, Fields fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warn(std::string_view message, Fields fields = {}) {
  Write(Level::kWarn, message, fields);
}
inline void Error(std::string_view message, Fields fields = {}) {
  Write(Level::kError, message, fields);
}

}  // namespace talon::log
