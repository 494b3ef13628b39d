// SPDX-License-Identifier: Apache-2.0
// The names of forms, however they are spelled. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "guard/form_text.h"

namespace talon::guard {

// Names are written without separators: tool_call, tool-call, "tool call" and toolCall are one.
bool IsCallName(std::string_view word);
// Of our own envelopes. "[/plugin_outputs" is near enough to an end to be taken for one.
bool IsEnvelopeName(std::string_view word);
// Ends and beginnings of turns, written in angle brackets.
bool IsTurnName(std::string_view word);

// A name built from words, read one separator at a time.
class NameReader {
 public:
  NameReader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  // Adds the next word. False when there is none or no name begins so.
  bool Next();
  std::string_view word() const { return {word_.data(), size_}; }
  std::size_t at() const { return at_; }         // just behind the last word
  bool separated() const { return separated_; }  // the name has a separator inside

 private:
  std::string_view text_;
  std::size_t at_;
  std::array<char, kMaxWord> word_{};
  std::size_t size_ = 0;
  std::size_t skipped_ = 0;
  bool separated_ = false;
  bool namespace_ = false;
};

}  // namespace talon::guard
