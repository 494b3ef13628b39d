// SPDX-License-Identifier: Apache-2.0
#include "model/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace talon::model {
namespace {

constexpr int kMaxSpliceDepth = 64;
constexpr std::int64_t kMaxCount = 1'000'000'000'000;  // sums of counts stay sums

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The code unit of the escape "\uXXXX" at `position`, or -1.
long EscapedUnit(std::string_view text, std::size_t position) {
  if (position + 6 > text.size() || text[position] != '\\' || text[position + 1] != 'u') return -1;
  long unit = 0;
  for (char c : text.substr(position + 2, 4)) {
    if (!IsHex(c)) return -1;
    unit = unit * 16 + (IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

// Recognises JSON without building anything. UTF-8 is checked by the caller.
class Recognizer {
 public:
  explicit Recognizer(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool Document() {
    Space();
    if (!Value(0)) return false;
    Space();
    return at_ == end_;
  }

 private:
  void Space() {
    while (at_ != end_ && IsSpace(*at_)) ++at_;
  }
  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size()) return false;
    if (std::string_view(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool Digits() {
    const char* begin = at_;
    while (at_ != end_ && IsDigit(*at_)) ++at_;
    return at_ != begin;
  }

  bool Number() {
    const char* begin = at_;
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    bool exponent = at_ != end_ && (*at_ == 'e' || *at_ == 'E');
    if (exponent) {
      ++at_;
      if (!Take('+')) Take('-');
      if (!Digits()) return false;
    }
    // Parsers refuse what no double holds.
    if (!exponent && at_ - begin < 300) return true;
    return std::isfinite(std::strtod(std::string(begin, at_).c_str(), nullptr));
  }

  bool Escape() {
    if (at_ == end_) return false;
    if (*at_ != 'u') {
      return std::string_view("\"\\/bfnrt").find(*at_++) != std::string_view::npos;
    }
    // Halves of surrogate pairs are refused by many parsers.
    std::string_view rest(at_ - 1, static_cast<std::size_t>(end_ - at_ + 1));
    long unit = EscapedUnit(rest, 0);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
    at_ += 5;
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    long next = EscapedUnit(rest, 6);
    if (next < 0xDC00 || next > 0xDFFF) return false;
    at_ += 6;
    return true;
  }

  bool String() {
    if (!Take('"')) return false;
    while (at_ != end_) {
      char c = *at_++;
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !Escape()) return false;
    }
    return false;
  }

  bool Members(int depth, char close, bool keyed) {
    if (depth >= kMaxSpliceDepth) return false;
    Space();
    if (Take(close)) return true;
    for (;;) {
      Space();
      if (keyed) {
        if (!String()) return false;
        Space();
        if (!Take(':')) return false;
        Space();
      }
      if (!Value(depth + 1)) return false;
      Space();
      if (Take(close)) return true;
      if (!Take(',')) return false;
    }
  }

  bool Value(int depth) {
    if (at_ == end_) return false;
    switch (*at_) {
      case '{':
        ++at_;
        return Members(depth, '}', true);
      case '[':
        ++at_;
        return Members(depth, ']', false);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  const char* at_;
  const char* end_;
};

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
  return Recognizer(text).Document() && IsValidUtf8(text);
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
