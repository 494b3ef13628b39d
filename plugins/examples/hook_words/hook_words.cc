// SPDX-License-Identifier: Apache-2.0
#include "examples/hook_words/hook_words.h"

#include <fmt/format.h>

#include <algorithm>

namespace talon::examples {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return Lower(c); });
  return text;
}

// Letters and digits of any language: bytes above 127 belong to one.
bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 128 || (byte >= '0' && byte <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
         c == '_';
}

// Where `word` stands whole in `text` from `from` on; npos when nowhere. Both are lower case.
std::size_t FindWord(const std::string& text, const std::string& word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !IsWordByte(text[at - 1]) || !IsWordByte(word.front());
    const bool ends = end == text.size() || !IsWordByte(text[end]) || !IsWordByte(word.back());
    if (begins && ends) return at;
  }
  return std::string::npos;
}

}  // namespace

HookWords::HookWords()
    : Plugin({.name = "hook_words",
              .version = "1.0.0",
              .description = "Masks words, or refuses texts that hold them.",
              .config = sdk::Object()
                            .Optional("mask", sdk::ArrayOf(sdk::String(), "put out by asterisks"))
                            .Optional("refuse", sdk::ArrayOf(sdk::String(), "end the step"))}),
      Hook({.joinpoints = {std::string(sdk::kInputReceived), std::string(sdk::kToolBeforeCall),
                           std::string(sdk::kToolResultReceived),
                           std::string(sdk::kResponseBeforeFinal)},
            .priority = 0,
            .fail_open = false}) {}

absl::Status HookWords::Configure(const sdk::Args& config, const sdk::Folders&) {
  for (const auto& [name, words] : {std::pair("mask", &masked_), std::pair("refuse", &refused_)}) {
    for (const std::string& word : config.Strings(name)) {
      if (word.empty()) return absl::InvalidArgumentError(fmt::format("{}: an empty word", name));
      words->push_back(Lower(word));
    }
  }
  if (masked_.empty() && refused_.empty()) {
    return absl::InvalidArgumentError("no words; list some under `mask` or `refuse`");
  }
  return absl::OkStatus();
}

absl::StatusOr<sdk::Advice> HookWords::Advise(const sdk::Moment& moment, const sdk::CallInfo&) {
  const std::string text = Lower(moment.value);
  for (const std::string& word : refused_) {
    if (FindWord(text, word, 0) == std::string::npos) continue;
    return sdk::Advice::Block("the text holds a word that is not allowed here");
  }
  std::string masked = moment.value;
  int count = 0;
  for (const std::string& word : masked_) {
    for (std::size_t at = FindWord(text, word, 0); at != std::string::npos;
         at = FindWord(text, word, at + word.size())) {
      masked.replace(at, word.size(), word.size(), '*');
      ++count;
    }
  }
  if (count == 0) return sdk::Advice::Allow();
  sdk::Advice advice = sdk::Advice::Rewrite(std::move(masked));
  advice.notes.push_back(fmt::format("{} words masked", count));
  return advice;
}

}  // namespace talon::examples
