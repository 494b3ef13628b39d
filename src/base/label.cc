// SPDX-License-Identifier: Apache-2.0
#include "base/label.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace talon {

std::string_view IntegrityName(Integrity integrity) {
  switch (integrity) {
    case Integrity::kSystem:
      return "system";
    case Integrity::kUser:
      return "user";
    case Integrity::kTrusted:
      return "trusted";
    case Integrity::kUntrusted:
      break;
  }
  return "untrusted";
}

absl::StatusOr<Integrity> ParseIntegrity(std::string_view name) {
  for (Integrity integrity : {Integrity::kSystem, Integrity::kUser, Integrity::kTrusted,
                              Integrity::kUntrusted}) {
    if (IntegrityName(integrity) == name) return integrity;
  }
  return InvalidArgument(
      fmt::format("integrity '{}': not one of system, user, trusted, untrusted", name));
}

Label Join(const Label& a, const Label& b) {
  Label joined;
  joined.integrity = std::max(a.integrity, b.integrity);
  for (const std::string& reader : a.readers) {
    if (std::find(b.readers.begin(), b.readers.end(), reader) != b.readers.end()) {
      joined.readers.push_back(reader);
    }
  }
  return joined;
}

std::string ReadersToText(const Label& label) {
  return fmt::format("{}", fmt::join(label.readers, ","));
}

Label MakeLabel(Integrity integrity, std::string_view readers_text) {
  Label label{.integrity = integrity, .readers = {}};
  while (!readers_text.empty()) {
    const std::size_t comma = readers_text.find(',');
    if (comma != 0) label.readers.emplace_back(readers_text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    readers_text.remove_prefix(comma + 1);
  }
  return label;
}

}  // namespace talon
