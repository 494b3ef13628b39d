// SPDX-License-Identifier: Apache-2.0
#include "guard/word_index.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace talon::guard {
namespace {

constexpr std::size_t kMaxBytes = 16u << 20;       // of all texts of an index
constexpr std::size_t kFirstWords = 256;           // a power of two
constexpr std::uint32_t kHashStart = 2166136261u;  // FNV-1a
constexpr std::uint32_t kHashStep = 16777619u;

constexpr std::array<bool, 256> WordBytes() {
  std::array<bool, 256> word{};
  for (int c = '0'; c <= '9'; ++c) word[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) word[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) word[static_cast<std::size_t>(c)] = true;
  for (std::size_t c = 0x80; c < 256; ++c) word[c] = true;
  return word;
}
constexpr std::array<bool, 256> kWordByte = WordBytes();

bool IsWord(char c) {
  return kWordByte[static_cast<unsigned char>(c)];
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The character that `count` hex digits at `at` stand for; only printable ASCII.
std::optional<char> FromHex(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = HexDigit(text[at + i]);
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  if (value < 0x20 || value > 0x7e) return std::nullopt;
  return static_cast<char>(value);
}

// The escape at `at`, and how long it is.
std::optional<std::pair<char, std::size_t>> Escape(std::string_view text, std::size_t at) {
  if (text[at] == '%') {
    if (const auto c = FromHex(text, at + 1, 2)) return std::pair(*c, 3);
    return std::nullopt;
  }
  if (at + 1 >= text.size()) return std::nullopt;
  const char next = text[at + 1];
  if (next == '/' || next == '"' || next == '\\') return std::pair(next, 2);
  if (next == 'n' || next == 't') return std::pair(' ', 2);
  if (next == 'u') {
    if (const auto c = FromHex(text, at + 2, 4)) return std::pair(*c, 6);
  }
  return std::nullopt;
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

char At(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}
// The character before; 0 at the beginning.
char Before(std::string_view text, std::size_t at) {
  return at > 0 ? text[at - 1] : '\0';
}
bool OneOf(char c, std::string_view set) {
  return c != '\0' && set.find(c) != std::string_view::npos;
}
// A '.' that ends a sentence and is not part of a name.
bool EndsSentence(std::string_view text, std::size_t at) {
  return OneOf(At(text, at), ".,;:!?") && !IsWord(At(text, at + 1));
}

// Behind "./" a path begins.
bool BehindHere(std::string_view text, std::size_t at) {
  return at >= 2 && text[at - 1] == '/' && text[at - 2] == '.' &&
         (at == 2 || (!IsWord(text[at - 3]) && !OneOf(text[at - 3], "/.-_~\\")));
}

bool EdgesFit(std::string_view text, std::size_t begin, std::size_t end, Edge edge) {
  const char before = Before(text, begin), after = At(text, end);
  if (IsWord(before) && IsWord(text[begin])) return false;
  if (IsWord(after) && IsWord(text[end - 1])) return false;
  switch (edge) {
    case Edge::kWord:
      return true;
    case Edge::kHost:
      // Behind a single '/' it is a path's part.
      if (before == '/' && Before(text, begin - 1) != '/') return false;
      return !OneOf(before, ".-_\\") && !OneOf(after, "-_@") &&
             (after != '.' || EndsSentence(text, end));
    case Edge::kPath:
      return (!OneOf(before, "/.-_~\\") || BehindHere(text, begin)) && !OneOf(after, "/-_\\") &&
             (after != '.' || EndsSentence(text, end));
    case Edge::kFolder:
      return (!OneOf(before, "/.-_~\\") || BehindHere(text, begin)) && after == '/' &&
             !IsWord(At(text, end + 1)) && !OneOf(At(text, end + 1), "/.-_~");
    case Edge::kAddress:
      return !OneOf(before, ".-_+%") && !OneOf(after, "-_@") &&
             (after != '.' || EndsSentence(text, end));
    case Edge::kNumber:
      return !(OneOf(before, ".,'") && IsWord(Before(text, begin - 1))) && before != '-' &&
             !(OneOf(after, ".,'") && IsWord(At(text, end + 1)));
    case Edge::kCommand:
      // What is in quotes is that, and not its beginning.
      if (OneOf(before, "\"'`")) return after == before;
      return (before == '\0' || OneOf(before, " \"'`:(")) &&
             (after == '\0' || OneOf(after, " \"'`)") || EndsSentence(text, end));
  }
  return false;
}

struct NeedleWord {
  std::uint32_t hash = 0;
  std::size_t at = 0;
};

// The words of `text` in order, by their hashes.
template <class Visit>
void ForEachWord(std::string_view text, Visit visit) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!IsWord(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    std::uint32_t hash = kHashStart;
    for (; at < text.size() && IsWord(text[at]); ++at) {
      hash = (hash ^ static_cast<unsigned char>(text[at])) * kHashStep;
    }
    if (!visit(hash == 0 ? 1u : hash, begin)) return;
  }
}

}  // namespace

std::string Fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool space = true;  // before anything else: none is kept there
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%' || c == '\\') {
      if (const auto escape = Escape(text, i)) {
        c = escape->first;
        i += escape->second - 1;
      }
    }
    if (static_cast<unsigned char>(c) <= ' ') {
      if (!space) out += ' ';
      space = true;
    } else {
      out += Lower(c);
      space = false;
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

WordIndex::WordIndex() {
  Clear();
}

void WordIndex::Clear() {
  all_.clear();
  begins_.clear();
  words_.assign(kFirstWords, {});
  used_ = 0;
  postings_.assign(1, {});
}

const WordIndex::Word* WordIndex::FindWord(std::uint32_t hash) const {
  const std::size_t mask = words_.size() - 1;
  for (std::size_t i = hash & mask; words_[i].hash != 0; i = (i + 1) & mask) {
    if (words_[i].hash == hash) return &words_[i];
  }
  return nullptr;
}

WordIndex::Word& WordIndex::TakeWord(std::uint32_t hash) {
  if (2 * (used_ + 1) > words_.size()) Grow();
  const std::size_t mask = words_.size() - 1;
  std::size_t i = hash & mask;
  while (words_[i].hash != 0 && words_[i].hash != hash) i = (i + 1) & mask;
  if (words_[i].hash == 0) {
    words_[i].hash = hash;
    ++used_;
  }
  return words_[i];
}

void WordIndex::Grow() {
  const std::vector<Word> old = std::exchange(words_, std::vector<Word>(2 * words_.size()));
  const std::size_t mask = words_.size() - 1;
  for (const Word& word : old) {
    if (word.hash == 0) continue;
    std::size_t i = word.hash & mask;
    while (words_[i].hash != 0) i = (i + 1) & mask;
    words_[i] = word;
  }
}

std::size_t WordIndex::Add(std::string_view text) {
  const std::size_t begin = all_.size();
  begins_.push_back(static_cast<std::uint32_t>(begin));
  all_ += Fold(text.substr(0, kMaxBytes - std::min(kMaxBytes, begin)));
  all_ += '\0';
  ForEachWord(std::string_view(all_).substr(begin), [&](std::uint32_t hash, std::size_t at) {
    Word& word = TakeWord(hash);
    postings_.push_back({static_cast<std::uint32_t>(begin + at), word.last});
    word.last = static_cast<std::uint32_t>(postings_.size() - 1);
    ++word.count;
    return true;
  });
  return begins_.size() - 1;
}

std::vector<std::size_t> WordIndex::Find(std::string_view folded, Edge edge, std::size_t limit,
                                         std::size_t places) const {
  const Word* rarest = nullptr;
  std::size_t offset = 0;
  bool all_known = true;
  ForEachWord(folded, [&](std::uint32_t hash, std::size_t at) {
    const Word* word = FindWord(hash);
    all_known = word != nullptr;
    if (word != nullptr && (rarest == nullptr || word->count < rarest->count)) {
      rarest = word;
      offset = at;
    }
    return all_known;
  });
  std::vector<std::size_t> found;
  if (!all_known || rarest == nullptr) return found;
  std::size_t tried = 0;
  for (std::uint32_t i = rarest->last; i != 0 && tried < places; i = postings_[i].before) {
    ++tried;
    const std::size_t word_at = postings_[i].at;
    if (word_at < offset) continue;
    const std::size_t at = word_at - offset;
    if (all_.compare(at, folded.size(), folded) != 0) continue;
    const auto next = std::ranges::upper_bound(begins_, at);
    const std::size_t number = static_cast<std::size_t>(next - begins_.begin()) - 1;
    if (!found.empty() && found.back() == number) continue;
    const std::size_t end = next == begins_.end() ? all_.size() : *next;
    const std::string_view text =
        std::string_view(all_).substr(begins_[number], end - 1 - begins_[number]);
    const std::size_t in = at - begins_[number];
    if (in + folded.size() > text.size() || !EdgesFit(text, in, in + folded.size(), edge)) continue;
    found.push_back(number);
  }
  std::ranges::reverse(found);
  // The earliest say where a value came from.
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace talon::guard
