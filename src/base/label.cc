// SPDX-License-Identifier: Apache-2.0
#include "base/label.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace talon {
namespace {

// A comma inside a name must not become two readers.
std::string Escape(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ',') {
      out += "%2C";
    } else if (c == '%') {
      out += "%25";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view code = text.substr(i, 3);
    const bool escaped = code == "%2C" || code == "%25";
    out += !escaped ? text[i] : code == "%2C" ? ',' : '%';
    if (escaped) i += 2;
  }
  return out;
}

}  // namespace

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
  for (Integrity integrity :
       {Integrity::kSystem, Integrity::kUser, Integrity::kTrusted, Integrity::kUntrusted}) {
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
  std::string text;
  for (const std::string& reader : label.readers) {
    if (!text.empty()) text += ',';
    text += Escape(reader);
  }
  return text;
}

Label MakeLabel(Integrity integrity, std::string_view readers_text) {
  Label label{.integrity = integrity, .readers = {}};
  while (!readers_text.empty()) {
    const std::size_t comma = readers_text.find(',');
    if (comma != 0) label.readers.push_back(Unescape(readers_text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    readers_text.remove_prefix(comma + 1);
  }
  return label;
}

}  // namespace talon
