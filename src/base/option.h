// SPDX-License-Identifier: Apache-2.0
// How a room declares its options: a plain struct with defaults, and once, beside it, what each
// field means. config/ binds YAML to it and generates the example file and the reference from it.
//
//   struct GatewayOptions {
//     std::uint16_t port = 8420;
//     static constexpr auto Fields() {
//       return std::make_tuple(
//           Option("port", &GatewayOptions::port, "TCP port of the HTTP API; 0 picks a free one.",
//                  Reload::kRestart));
//     }
//     absl::Status Validate() const;   // optional: cross-field checks, called after binding
//   };
//
// Field types: bool, integers, double, std::string, std::chrono::milliseconds ("30s", "500ms",
// "2m"), Bytes ("64KB"), Secret, JsonText, a nested options struct, std::vector<T>,
// std::map<std::string, T>, std::optional<T>, and enums that have `EnumNames(E)`:
//   constexpr auto EnumNames(Durability) { return std::array{std::pair{"power",
//   Durability::kPower}, …}; }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace talon {

// Whether a changed value takes effect at once or at the next start.
enum class Reload { kLive, kRestart };

// A size; in configuration "512", "64KB", "8MB", "1GB" (powers of 1024).
struct Bytes {
  std::uint64_t value = 0;
  bool operator==(const Bytes&) const = default;
};

// Any YAML below the key, handed on as JSON text: settings that belong to somebody else.
struct JsonText {
  std::string text;
  std::string shown;            // the same with credentials as [redacted]; empty = `text`
  std::vector<Secret> secrets;  // the credentials in it
  bool operator==(const JsonText&) const = default;
};

template <class Struct, class Value>
struct OptionField {
  std::string_view name;
  Value Struct::* member;
  std::string_view doc;
  Reload reload;
};

template <class Struct, class Value>
constexpr OptionField<Struct, Value> Option(std::string_view name, Value Struct::* member,
                                            std::string_view doc, Reload reload = Reload::kLive) {
  return {name, member, doc, reload};
}

}  // namespace talon
