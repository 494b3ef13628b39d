// SPDX-License-Identifier: Apache-2.0
// Text forms of the option types: what a value looks like in YAML and back. Any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "base/option.h"
#include "base/secret.h"
#include "base/status.h"

namespace talon::config {

template <class T>
concept OptionStruct = requires { T::Fields(); };
template <class T>
concept OptionEnum = std::is_enum_v<T> && requires(T value) { EnumNames(value); };

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

// Each parses the whole of `text` or says what it should have been.
absl::Status ParseValue(std::string_view text, bool& out);
absl::Status ParseValue(std::string_view text, double& out);
absl::Status ParseValue(std::string_view text, std::chrono::milliseconds& out);
absl::Status ParseValue(std::string_view text, Bytes& out);
absl::Status ParseInteger(std::string_view text, std::int64_t low, std::uint64_t high,
                          std::int64_t& out);
inline absl::Status ParseValue(std::string_view text, std::string& out) {
  out = text;
  return absl::OkStatus();
}
inline absl::Status ParseValue(std::string_view text, Secret& out) {
  out = Secret(std::string(text));
  return absl::OkStatus();
}
template <std::integral T>
  requires(!std::same_as<T, bool>)
absl::Status ParseValue(std::string_view text, T& out) {
  std::int64_t value = 0;
  TALON_RETURN_IF_ERROR(ParseInteger(text, std::numeric_limits<T>::min(),
                                     static_cast<std::uint64_t>(std::numeric_limits<T>::max()),
                                     value));
  out = static_cast<T>(value);
  return absl::OkStatus();
}
template <OptionEnum T>
absl::Status ParseValue(std::string_view text, T& out) {
  std::string names;
  for (const auto& [name, value] : EnumNames(T{})) {
    if (name == text) {
      out = value;
      return absl::OkStatus();
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return InvalidArgument(fmt::format("'{}' is not one of {}", text, names));
}

std::string FormatValue(bool value);
std::string FormatValue(double value);
std::string FormatValue(std::chrono::milliseconds value);
std::string FormatValue(Bytes value);
// Quoted where YAML would read it as something else.
std::string FormatValue(const std::string& value);
inline std::string FormatValue(const Secret& value) {
  return value.empty() ? "\"\"" : "[redacted]";
}
inline std::string FormatValue(const JsonText& value) {
  if (value.text.empty()) return "{}";
  return value.shown.empty() ? value.text : value.shown;
}
// Whether a key or variable of this name holds a credential: "api_key", "GITHUB_TOKEN",
// "Authorization" …
bool IsCredentialName(std::string_view name);
template <std::integral T>
  requires(!std::same_as<T, bool>)
std::string FormatValue(T value) {
  return std::to_string(value);
}
template <OptionEnum T>
std::string FormatValue(T value) {
  for (const auto& [name, item] : EnumNames(T{})) {
    if (item == value) return std::string(name);
  }
  return "";
}

// "whole number", "duration", … for messages and the reference.
template <class T>
std::string TypeName() {
  if constexpr (std::same_as<T, bool>)
    return "true or false";
  else if constexpr (std::integral<T>)
    return "whole number";
  else if constexpr (std::same_as<T, double>)
    return "number";
  else if constexpr (std::same_as<T, std::chrono::milliseconds>)
    return "duration";
  else if constexpr (std::same_as<T, Bytes>)
    return "size";
  else if constexpr (std::same_as<T, Secret>)
    return "secret";
  else if constexpr (std::same_as<T, JsonText>)
    return "mapping";
  else if constexpr (OptionEnum<T>)
    return "choice";
  else if constexpr (IsVector<T>::value)
    return "list";
  else if constexpr (IsMap<T>::value || OptionStruct<T>)
    return "mapping";
  else
    return "text";
}

}  // namespace talon::config
