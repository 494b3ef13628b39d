// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"

namespace talon {
namespace {

constexpr int kMaxDepth = 128;

// True when brackets nest deeper than kMaxDepth outside strings.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// The library's reason without its position and without the text it read: that may be secret.
std::string Reason(std::string_view what) {
  const std::size_t position = what.find(": ");
  if (position != std::string_view::npos) what.remove_prefix(position + 2);
  const std::size_t read = what.find("; last read: ");
  const std::size_t expected = what.rfind("; expected ");
  std::string reason(what.substr(0, read));
  if (read != std::string_view::npos && expected != std::string_view::npos && expected > read) {
    reason += what.substr(expected);
  }
  return reason;
}

// The next position from `at` that JSON writes as an escape, or the end. Eight bytes at a time: a
// byte below n makes (x - n) borrow into its top bit.
std::size_t FindEscape(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ull;
  constexpr std::uint64_t kTops = 0x8080808080808080ull;
  while (at + 8 <= text.size()) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t quote = word ^ (kOnes * '"');
    const std::uint64_t slash = word ^ (kOnes * '\\');
    const std::uint64_t control = (word - kOnes * 0x20) & ~word;
    const std::uint64_t hits =
        (control | ((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash)) & kTops;
    if (hits != 0) break;
    at += 8;
  }
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\') break;
    ++at;
  }
  return at;
}

void AppendEscape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  }
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what) {
  if (TooDeep(text)) {
    return InvalidArgument(fmt::format("{}: JSON nested deeper than {} levels", what, kMaxDepth));
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return InvalidArgument(
        fmt::format("{}: not valid JSON at byte {}: {}", what, error.byte, Reason(error.what())));
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("{}: not valid JSON: {}", what, error.what()));
  }
}

std::string DumpJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void AppendJsonString(std::string& out, std::string_view text) {
  std::string repaired;
  if (!IsValidUtf8(text)) {
    repaired = RepairUtf8(text);
    text = repaired;
  }
  out.push_back('"');
  std::size_t start = 0;
  std::size_t at = 0;
  while ((at = FindEscape(text, at)) < text.size()) {
    out.append(text.substr(start, at - start));
    AppendEscape(out, text[at]);
    start = ++at;
  }
  out.append(text.substr(start));
  out.push_back('"');
}

const Json* JsonFind(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

std::string JsonString(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* value = JsonFind(object, key);
  if (value == nullptr || !value->is_string()) return std::string(fallback);
  return value->get<std::string>();
}

long JsonInt(const Json& object, std::string_view key, long fallback) {
  const Json* value = JsonFind(object, key);
  if (value == nullptr || !value->is_number()) return fallback;
  if (value->is_number_integer()) return value->get<long>();
  const double number = value->get<double>();
  return number > -9e18 && number < 9e18 ? static_cast<long>(number) : fallback;
}

double JsonDouble(const Json& object, std::string_view key, double fallback) {
  const Json* value = JsonFind(object, key);
  return value != nullptr && value->is_number() ? value->get<double>() : fallback;
}

bool JsonBool(const Json& object, std::string_view key, bool fallback) {
  const Json* value = JsonFind(object, key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

}  // namespace talon
