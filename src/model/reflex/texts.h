// SPDX-License-Identifier: Apache-2.0
// What the reflex model says and the words it knows, read from config/prompts/reflex_*.txt as they
// were built in. Constant after construction.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talon::model::reflex {

using Words = std::vector<std::string>;

// Lower-case words of letters, digits and apostrophes; bytes beyond ASCII count as letters.
Words SplitWords(std::string_view text);

class Texts {
 public:
  Texts();
  // Section `key` with each {name} replaced; {configure} always is.
  std::string Say(
      std::string_view key,
      std::initializer_list<std::pair<std::string_view, std::string_view>> values) const;
  // Actions by what people say for them, longest phrase first.
  const std::vector<std::pair<Words, std::string>>& synonyms() const { return synonyms_; }
  // Longest first.
  const std::vector<Words>& fillers() const { return fillers_; }
  bool IsStopWord(const std::string& word) const { return stop_words_.contains(word); }

 private:
  std::map<std::string, std::string, std::less<>> sections_;
  std::vector<std::pair<Words, std::string>> synonyms_;
  std::vector<Words> fillers_;
  std::set<std::string> stop_words_;
};

}  // namespace talon::model::reflex
