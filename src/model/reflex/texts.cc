// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/texts.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/text.h"

namespace talon::model {
// Made by talon_embed.
std::optional<std::string_view> Embedded(std::string_view name);
}  // namespace talon::model

namespace talon::model::reflex {
namespace {

std::string_view File(std::string_view name) {
  const std::optional<std::string_view> content = Embedded(name);
  TALON_CHECK(content.has_value());
  return *content;
}

std::vector<Words> SplitPhrases(std::string_view text) {
  std::vector<Words> phrases;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (Words words = SplitWords(text.substr(0, comma)); !words.empty()) {
      phrases.push_back(std::move(words));
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return phrases;
}

}  // namespace

Words SplitWords(std::string_view text) {
  Words words;
  std::string word;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '\'' ||
                        static_cast<unsigned char>(c) >= 0x80;
    if (letter) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(ToLowerAscii(std::exchange(word, "")));
    }
  }
  if (!word.empty()) words.push_back(ToLowerAscii(word));
  return words;
}

Texts::Texts() {
  std::string* section = nullptr;
  for (const std::string_view line : SplitLines(File("reflex_texts.txt"))) {
    if (line.starts_with("== ")) {
      section = &sections_[std::string(TrimSpace(line.substr(3)))];
    } else if (section != nullptr) {
      section->append(line).append("\n");
    }
  }
  for (auto& [key, text] : sections_) text = TrimSpace(text);
  for (const std::string_view line : SplitLines(File("reflex_synonyms.txt"))) {
    const std::size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    for (Words& words : SplitPhrases(line.substr(colon + 1))) {
      synonyms_.emplace_back(std::move(words), TrimSpace(line.substr(0, colon)));
    }
  }
  for (const std::string_view line : SplitLines(File("reflex_fillers.txt"))) {
    const std::size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    for (Words& words : SplitPhrases(line.substr(colon + 1))) {
      if (line.starts_with("stop")) {
        stop_words_.insert(std::move(words.front()));
      } else {
        fillers_.push_back(std::move(words));
      }
    }
  }
  const auto longer = [](const Words& a, const Words& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  };
  std::sort(synonyms_.begin(), synonyms_.end(), [longer](const auto& a, const auto& b) {
    return a.first != b.first ? longer(a.first, b.first) : a.second < b.second;
  });
  std::sort(fillers_.begin(), fillers_.end(), longer);
}

std::string Texts::Say(
    std::string_view key,
    std::initializer_list<std::pair<std::string_view, std::string_view>> values) const {
  const auto section = sections_.find(key);
  TALON_CHECK(section != sections_.end());
  std::string said;
  std::string_view text = section->second;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    said += text.substr(0, open);
    if (open == std::string_view::npos) break;
    text.remove_prefix(open);
    const std::size_t close = text.find('}');
    const std::string_view name =
        close == std::string_view::npos ? std::string_view() : text.substr(1, close - 1);
    const auto* value = std::find_if(values.begin(), values.end(),
                                     [name](const auto& item) { return item.first == name; });
    if (name == "configure") {
      said += Say("configure", {});
      text.remove_prefix(close + 1);
    } else if (value != values.end()) {
      said += value->second;
      text.remove_prefix(close + 1);
    } else {
      said += '{';
      text.remove_prefix(1);
    }
  }
  return said;
}

}  // namespace talon::model::reflex
