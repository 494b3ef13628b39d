// SPDX-License-Identifier: Apache-2.0
#include "base/json_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/block.h"

namespace talon {
namespace {

// Shorter numbers without an exponent are within a double.
constexpr std::size_t kPlainNumber = 300;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

class JsonChecker {
 public:
  JsonChecker(std::string_view text, std::size_t levels)
      : text_(text), levels_(std::min(levels, kMostJsonLevels)) {}

  // Iterative: `open_` holds the brackets that wait for their ends.
  bool Run() {
    while (true) {
      if (!Value()) return false;
      while (true) {  // what follows a value
        if (depth_ == 0) return Blank() == '\0' && at_ >= text_.size();
        const char c = Blank();
        ++at_;
        if (c == ',') break;
        if (c != open_[--depth_]) return false;
      }
      if (open_[depth_ - 1] == '}' && !Key()) return false;
    }
  }

 private:
  // A whole scalar, or the opening of an object or array that is not empty.
  bool Value() {
    while (true) {
      const char c = Blank();
      if (c != '{' && c != '[') return Scalar(c);
      if (depth_ == levels_) return false;
      const char end = c == '{' ? '}' : ']';
      ++at_;
      if (Blank() == end) {
        ++at_;
        return true;
      }
      open_[depth_++] = end;
      if (c == '{' && !Key()) return false;
    }
  }

  bool Key() {
    if (Blank() != '"' || !String() || Blank() != ':') return false;
    ++at_;
    return true;
  }

  bool Scalar(char c) {
    switch (c) {
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

  char Blank() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool Digits() {
    const std::size_t from = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ > from;
  }

  bool Number() {
    const std::size_t from = at_;
    if (At() == '-') ++at_;
    if (At() == '0') {
      ++at_;
    } else if (!Digits()) {
      return false;
    }
    if (At() == '.') {
      ++at_;
      if (!Digits()) return false;
    }
    const bool exponent = At() == 'e' || At() == 'E';
    if (exponent) {
      ++at_;
      if (At() == '+' || At() == '-') ++at_;
      if (!Digits()) return false;
    }
    if (!exponent && at_ - from < kPlainNumber) return true;
    return std::isfinite(std::strtod(std::string(text_.substr(from, at_ - from)).c_str(), nullptr));
  }

  char At() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // `at_` at the opening quote.
  bool String() {
    ++at_;
    while (true) {
      for (; at_ + kBlock <= text_.size(); at_ += kBlock) {
        const Bytes16 block = LoadBlock(text_.data() + at_);
        if (MaskOf((block == Every('"')) | (block == Every('\\')) | (block < Every(0x20))) != 0)
          break;
      }
      while (at_ < text_.size() && !IsSpecial(text_[at_])) ++at_;
      if (at_ >= text_.size()) return false;
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\' || !Escape()) return false;
    }
  }

  static bool IsSpecial(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  }

  // `at_` behind the backslash.
  bool Escape() {
    const char c = At();
    if (c != 'u') {
      ++at_;
      return c != '\0' && std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    }
    const long unit = EscapedUnit(text_, at_ - 1);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
    at_ += 5;
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    const long next = EscapedUnit(text_, at_);
    at_ += 6;
    return next >= 0xDC00 && next <= 0xDFFF;
  }

  const std::string_view text_;
  const std::size_t levels_;
  std::size_t at_ = 0;
  std::array<char, kMostJsonLevels> open_{};
  std::size_t depth_ = 0;
};

}  // namespace

bool IsJsonText(std::string_view text, std::size_t levels) {
  return JsonChecker(text, levels).Run();
}

long EscapedUnit(std::string_view text, std::size_t position) {
  if (position + 6 > text.size() || text[position] != '\\' || text[position + 1] != 'u') return -1;
  long unit = 0;
  for (char c : text.substr(position + 2, 4)) {
    if (!IsHex(c)) return -1;
    unit = unit * 16 + (IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

}  // namespace talon
