// SPDX-License-Identifier: Apache-2.0
#include "guard/clean_text.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "base/block.h"

namespace talon::guard {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::size_t kMaxSequence = 4096;  // bytes of one terminal sequence

bool IsPlain(unsigned char c) {
  return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r';
}

// Length of the prefix of plain ASCII.
std::size_t PlainPrefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + kBlock <= text.size(); at += kBlock) {
    const Bytes16 block = LoadBlock(text.data() + at);
    const Truth16 control = (block < Every(0x20)) & (block != Every('\n')) &
                            (block != Every('\t')) & (block != Every('\r'));
    unsigned other = MaskOf(control | (block >= Every(0x7f)));
    if (other != 0) return at + TakeFirst(other);
  }
  while (at < text.size() && IsPlain(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

// Bytes of the terminal sequence that starts at the escape character; 1 when it is none.
std::size_t TerminalSequence(std::string_view text) {
  if (text.size() < 2) return 1;
  const std::size_t end = text.size() < kMaxSequence ? text.size() : kMaxSequence;
  if (text[1] == '[') {
    for (std::size_t i = 2; i < end; ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c >= 0x40 && c <= 0x7e) return i + 1;
      if (c < 0x20 || c > 0x3f) break;
    }
    return 1;
  }
  if (text[1] == ']') {
    for (std::size_t i = 2; i < end && text[i] != '\n'; ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == kEscape && i + 1 < end && text[i + 1] == '\\') return i + 2;
    }
  }
  return 1;
}

enum class Kind { kKeep, kJoinable, kDrop, kLineEnd, kJoiner, kSelector };

Kind KindOf(std::int32_t c) {
  if (c == 0x200C || c == 0x200D) return Kind::kJoiner;
  if (c == 0xFE0E || c == 0xFE0F) return Kind::kSelector;
  if (c == 0x85 || c == 0x2028 || c == 0x2029) return Kind::kLineEnd;
  if (c == 0x34F || c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0 || c == 0xFFFC ||
      c == 0x2800 || c == 0x17B4 || c == 0x17B5 || (c >= 0xFE00 && c <= 0xFE0D) ||
      (c >= 0xE0000 && c <= 0xE0FFF) || (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF) ||
      (c >= 0x180B && c <= 0x180F) || c == 0x2065 || (c >= 0xFFF0 && c <= 0xFFF8)) {
    return Kind::kDrop;
  }
  if ((c >= 0x600 && c <= 0x605) || c == 0x6DD || c == 0x70F || c == 0x8E2) {
    return Kind::kKeep;  // format characters that are seen
  }
  if (c >= 0x3041 && c <= 0xD7A3) return Kind::kJoinable;  // the bulk of East Asian text
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
      return Kind::kDrop;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_SO:
    case UTF8PROC_CATEGORY_SK:
      return Kind::kJoinable;
    default:
      return Kind::kKeep;
  }
}

struct Range {
  unsigned first;
  unsigned last;
};

// What is no simple character of three bytes: what goes, what joins, what ends lines, what is no
// character. Whole blocks of 64 count, but for those that SimpleWide looks into.
constexpr Range kNotSimple[] = {{0x0, 0x8FF},     {0x1140, 0x117F}, {0x1780, 0x17BF},
                                {0x1800, 0x183F}, {0x2000, 0x203F}, {0x2040, 0x207F},
                                {0x2800, 0x283F}, {0x3140, 0x317F}, {0xD800, 0xF8FF},
                                {0xFDC0, 0xFE3F}, {0xFEC0, 0xFEFF}, {0xFF80, 0xFFFF}};

// By the lead byte's low four bits and the second byte's low six.
constexpr std::array<bool, 1024> kSimpleBlocks = [] {
  std::array<bool, 1024> simple{};
  for (unsigned block = 0; block < simple.size(); ++block) {
    simple[block] = true;
    for (const Range& range : kNotSimple) {
      if (block * 64 <= range.last && block * 64 + 63 >= range.first) simple[block] = false;
    }
  }
  return simple;
}();

// Bytes of a wide character that stays whatever stands around it; 0 where a closer look is needed.
std::size_t SimpleWide(std::string_view text, std::size_t at) {
  const std::size_t left = text.size() - at;
  const auto byte = [text, at](std::size_t offset) -> unsigned {
    return static_cast<unsigned char>(text[at + offset]);
  };
  if (left < 2) return 0;
  const unsigned lead = byte(0);
  const unsigned second = byte(1);
  if (lead < 0xC2 || (second & 0xC0) != 0x80) return 0;
  if (lead < 0xE0) {
    const unsigned c = (lead & 0x1F) << 6 | (second & 0x3F);
    return c >= 0xA0 && c != 0xAD && c != 0x34F && c != 0x61C ? 2 : 0;
  }
  if (left < 3 || (byte(2) & 0xC0) != 0x80) return 0;
  if (lead < 0xF0) {
    if (kSimpleBlocks[(lead & 0x0F) << 6 | (second & 0x3F)]) return 3;
    const unsigned c = (lead & 0x0F) << 12 | (second & 0x3F) << 6 | (byte(2) & 0x3F);
    // Quotes, dashes, bullets, the ellipsis, the euro's neighbours.
    return (c >= 0x2010 && c <= 0x2027) || (c >= 0x202F && c <= 0x205F) ? 3 : 0;
  }
  // Emoji and their kind.
  if (left < 4 || lead != 0xF0 || (byte(3) & 0xC0) != 0x80) return 0;
  return second == 0x9F && byte(2) <= 0xAB ? 4 : 0;
}

std::size_t SimplePrefix(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    const std::size_t before = at;
    for (std::size_t wide = SimpleWide(text, at); wide > 0; wide = SimpleWide(text, at)) at += wide;
    at += PlainPrefix(text.substr(at));
    if (at == before) return at;
  }
}

// The character at `at`; negative where the bytes are no UTF-8.
std::int32_t Decode(std::string_view text, std::size_t at, std::size_t* size) {
  std::int32_t c = -1;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at,
                       static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  *size = length > 0 ? static_cast<std::size_t>(length) : 1;
  return length > 0 ? c : -1;
}

class Cleaner {
 public:
  Cleaner(std::string_view text, std::string& out) : text_(text), out_(out) {}

  void Run() {
    while (at_ < text_.size()) {
      if (const std::size_t simple = SimplePrefix(text_.substr(at_)); simple > 0) {
        std::size_t size = 0;
        Join(Decode(text_, at_, &size));
        out_.append(text_, at_, simple);
        at_ += simple;
      } else if (static_cast<unsigned char>(text_[at_]) < 0x80) {
        Control();
      } else {
        Wide();
      }
    }
  }

 private:
  // Writes the joiner that waits, if `next` is a character it can join.
  void Join(std::int32_t next) {
    if (joiner_.empty()) return;
    if (next >= 0x80 && KindOf(next) == Kind::kJoinable) out_ += joiner_;
    joiner_ = {};
  }

  std::int32_t Last() const {
    if (out_.empty()) return 0;
    std::size_t at = out_.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(out_[at]) & 0xC0) == 0x80) --at;
    std::size_t size = 0;
    return Decode(out_, at, &size);
  }

  void Put(std::int32_t c, std::string_view character) {
    Join(c);
    out_ += character;
  }

  void Control() {
    const char c = text_[at_];
    if (c == kEscape) {
      at_ += TerminalSequence(text_.substr(at_));
      return;
    }
    ++at_;
    if (c == '\v' || c == '\f') {
      Put('\n', "\n");
    } else if (c == '\b' && !out_.empty() && out_.back() > ' ') {
      joiner_ = {};
      out_.pop_back();
    }
  }

  void Wide() {
    std::size_t size = 0;
    const std::int32_t c = Decode(text_, at_, &size);
    const std::string_view character = text_.substr(at_, size);
    at_ += size;
    if (c < 0) {
      if (Last() != kReplacement) Put(kReplacement, "\xEF\xBF\xBD");
      return;
    }
    const std::int32_t last = Last();
    const Kind before = last < 0x80 ? Kind::kKeep : KindOf(last);
    switch (KindOf(c)) {
      case Kind::kDrop:
        return;
      case Kind::kLineEnd:
        return Put('\n', "\n");
      case Kind::kJoiner:  // kept between two characters that join, else dropped
        if (before == Kind::kJoinable || before == Kind::kSelector) joiner_ = character;
        return;
      case Kind::kSelector:
        if (before == Kind::kJoinable && joiner_.empty()) out_ += character;
        return;
      case Kind::kKeep:
      case Kind::kJoinable:
        return Put(c, character);
    }
  }

  static constexpr std::int32_t kReplacement = 0xFFFD;
  std::string_view text_;
  std::string& out_;
  std::size_t at_ = 0;
  std::string_view joiner_;  // waiting for a character to join
};

}  // namespace

std::string_view CleanText(std::string_view text, std::string* storage) {
  if (SimplePrefix(text) == text.size()) return text;
  storage->clear();
  storage->reserve(text.size() + 16);
  Cleaner(text, *storage).Run();
  return *storage;
}

}  // namespace talon::guard
