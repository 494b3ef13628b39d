// SPDX-License-Identifier: Apache-2.0
#include "guard/provenance.h"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

namespace talon::guard {
namespace {

constexpr std::size_t kPlacesShown = 128;  // looked at to tell people where a value comes from

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte >= 0x80;
}

// Scripts that write without spaces, and Hangul, whose words change at both ends.
bool WritesWithoutSpaces(std::string_view word) {
  return static_cast<unsigned char>(word.front()) >= 0xe2;
}

// Words begin sentences in every script.
std::string LowerLetters(std::string_view text) {
  std::string out;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t letter = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(at, left, &letter);
    if (size <= 0) break;  // no UTF-8: nothing behind it asks for anything
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t count = utf8proc_encode_char(utf8proc_tolower(letter), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    at += size;
    left -= size;
  }
  return out;
}

bool Vouched(Voice voice) {
  return voice == Voice::kOperator || voice == Voice::kPerson || voice == Voice::kTrusted;
}

bool TextSays(std::string_view text, std::string_view word) {
  const bool beginning = word.ends_with('*');
  if (beginning) word.remove_suffix(1);
  if (word.empty()) return false;
  const bool anywhere = WritesWithoutSpaces(word);
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    if (anywhere) return true;
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || !IsWordByte(text[at - 1]);
    if (starts && (beginning || end == text.size() || !IsWordByte(text[end]))) return true;
  }
  return false;
}

}  // namespace

std::string_view VoiceName(Voice voice) {
  switch (voice) {
    case Voice::kOperator:
      return "operator";
    case Voice::kPerson:
      return "user";
    case Voice::kTrusted:
      return "trusted";
    case Voice::kModel:
      return "model";
    case Voice::kCall:
      return "call";
    case Voice::kUntrusted:
      break;
  }
  return "untrusted";
}

void Provenance::Add(Item item, std::string_view text) {
  if (item.voice == Voice::kCall) {
    calls_.Add(text);
  } else if (Vouched(item.voice)) {
    vouched_.Add(text);
    vouched_items_.push_back(std::move(item));
  } else {
    other_.Add(text);
    other_items_.push_back(std::move(item));
  }
}

void Provenance::BeginTurn(std::string_view text) {
  turn_ = LowerLetters(Fold(text));
}

bool Provenance::TurnSays(const std::vector<std::string>& words) const {
  return std::ranges::any_of(words, [&](const std::string& word) { return TextSays(turn_, word); });
}

bool Provenance::TurnNames(std::string_view text) const {
  return TextSays(turn_, Fold(text));
}

bool Provenance::Said(Voice voice, std::string_view folded, Edge edge) const {
  if (voice == Voice::kCall) return !calls_.Find(folded, edge, 1).empty();
  const WordIndex& index = Vouched(voice) ? vouched_ : other_;
  const std::vector<Item>& items = Vouched(voice) ? vouched_items_ : other_items_;
  const auto found = index.Find(folded, edge, items.size());
  return std::ranges::any_of(found,
                             [&](std::size_t number) { return items[number].voice == voice; });
}

std::vector<const Item*> Provenance::Find(std::string_view folded, Edge edge,
                                          std::size_t limit) const {
  std::vector<const Item*> list;
  for (const std::size_t number : vouched_.Find(folded, edge, limit)) {
    list.push_back(&vouched_items_[number]);
  }
  for (const std::size_t number : other_.Find(folded, edge, limit - list.size(), kPlacesShown)) {
    list.push_back(&other_items_[number]);
  }
  return list;
}

std::vector<const Item*> Provenance::FromOutside(std::size_t limit) const {
  std::vector<const Item*> list;
  for (auto item = other_items_.rbegin(); item != other_items_.rend() && list.size() < limit;
       ++item) {
    if (item->voice == Voice::kUntrusted) list.push_back(&*item);
  }
  return list;
}

void Provenance::Clear() {
  vouched_.Clear();
  other_.Clear();
  calls_.Clear();
  vouched_items_.clear();
  other_items_.clear();
  turn_.clear();
}

}  // namespace talon::guard
