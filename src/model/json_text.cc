// SPDX-License-Identifier: Apache-2.0
#include "model/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/json_check.h"
#include "base/text.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxSpliceDepth = 64;
constexpr std::int64_t kMaxCount = 1'000'000'000'000;  // sums of counts stay sums

std::string RepairSurrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    long unit = EscapedUnit(text, i);
    if (unit < 0xD800 || unit > 0xDFFF) {
      out += text.substr(i, 2);
      i += 2;
      continue;
    }
    long next = EscapedUnit(text, i + 6);
    bool pair = unit < 0xDC00 && next >= 0xDC00 && next <= 0xDFFF;
    out += pair ? text.substr(i, 12) : std::string_view("\\ufffd");
    i += pair ? 12 : 6;
  }
  return out;
}

}  // namespace

void JsonText::Comma() {
  if (out_.empty()) return;
  char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

JsonText& JsonText::Open(char bracket) {
  Comma();
  out_ += bracket;
  return *this;
}

JsonText& JsonText::Close(char bracket) {
  out_ += bracket;
  return *this;
}

JsonText& JsonText::Key(std::string_view name) {
  Comma();
  out_ += '"';
  out_ += name;
  out_ += "\":";
  return *this;
}

JsonText& JsonText::String(std::string_view value) {
  Comma();
  AppendJsonString(out_, value);
  return *this;
}

JsonText& JsonText::Raw(std::string_view json) {
  Comma();
  out_ += json;
  return *this;
}

JsonText& JsonText::Int(std::int64_t value) {
  Comma();
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonText& JsonText::Double(double value) {
  Comma();
  fmt::format_to(std::back_inserter(out_), "{}", std::isfinite(value) ? value : 0.0);
  return *this;
}

bool IsJson(std::string_view text) {
  return IsJsonText(text, kMaxSpliceDepth) && IsValidUtf8(text);
}

bool IsJsonObject(std::string_view text) {
  std::string_view trimmed = TrimSpace(text);
  return !trimmed.empty() && trimmed.front() == '{' && IsJson(trimmed);
}

void AppendArguments(std::string& out, std::string_view arguments) {
  std::string_view trimmed = TrimSpace(arguments);
  if (trimmed.empty() || trimmed == "null") {
    out += "{}";
  } else if (IsJsonObject(trimmed)) {
    out += trimmed;
  } else {
    out += "{\"raw\":";
    AppendJsonString(out, arguments);
    out += '}';
  }
}

void AppendSchema(std::string& out, std::string_view schema) {
  std::string_view trimmed = TrimSpace(schema);
  if (trimmed != "{}" && IsJsonObject(trimmed)) {
    out += trimmed;
  } else {
    out += R"({"type":"object","properties":{}})";
  }
}

std::string_view TextAt(const Json& object, std::string_view key) {
  const Json* found = JsonFind(object, key);
  if (found == nullptr || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

std::int64_t CountAt(const Json& object, std::string_view key) {
  return std::clamp<std::int64_t>(JsonInt(object, key), 0, kMaxCount);
}

absl::StatusOr<Json> ParseProviderJson(std::string_view text, std::string_view what) {
  absl::StatusOr<Json> parsed = ParseJson(text, what);
  if (parsed.ok()) return parsed;
  absl::StatusOr<Json> repaired = ParseJson(RepairSurrogates(RepairUtf8(text)), what);
  return repaired.ok() ? std::move(repaired) : std::move(parsed);
}

}  // namespace talon::model
