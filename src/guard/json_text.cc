// SPDX-License-Identifier: Apache-2.0
#include "guard/json_text.h"

#include <array>
#include <cstddef>

#include "guard/block.h"

namespace talon::guard {
namespace {

constexpr std::size_t kMaxDepth = 128;

class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : text_(text) {}

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
      if (depth_ == kMaxDepth) return false;
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
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > from;
  }

  bool Number() {
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
    if (At() == 'e' || At() == 'E') {
      ++at_;
      if (At() == '+' || At() == '-') ++at_;
      if (!Digits()) return false;
    }
    return true;
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

  bool Escape() {
    const char c = At();
    ++at_;
    if (c != 'u')
      return c != '\0' && std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (std::size_t end = at_ + 4; at_ < end; ++at_) {
      const char digit = At();
      const char lower = static_cast<char>(digit | 0x20);
      if (!(digit >= '0' && digit <= '9') && !(lower >= 'a' && lower <= 'f')) return false;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::array<char, kMaxDepth> open_{};
  std::size_t depth_ = 0;
};

}  // namespace

bool IsJson(std::string_view text) {
  return JsonChecker(text).Run();
}

}  // namespace talon::guard
