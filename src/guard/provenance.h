// SPDX-License-Identifier: Apache-2.0
// Where the values of a conversation came from: every earlier item (what the person said, what a
// tool gave, what the model wrote) by its words, so that for a value of a call it can be told who
// said it first. Grows with the conversation. One a session; the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/label.h"
#include "guard/word_index.h"

namespace talon::guard {

// Whose words a value is found in.
enum class Voice {
  kOperator,   // configuration, the calling program's instructions
  kPerson,     // the authenticated user's own words
  kTrusted,    // results of tools that the policy trusts
  kModel,      // the model's own texts
  kCall,       // the arguments of the model's calls
  kUntrusted,  // everything else
};
std::string_view VoiceName(Voice voice);

struct Item {
  Voice voice = Voice::kUntrusted;
  std::string name;  // for people: "the user's message 3", "result 2 (files__read)"
};

class Provenance {
 public:
  void Add(Item item, std::string_view text);
  // The words by which the person asked for what the running turn does; replaces earlier ones.
  void BeginTurn(std::string_view text);
  // Whether the person's words of this turn have one of `words`: as they are, with a trailing '*'
  // as beginnings, and in scripts without spaces anywhere.
  bool TurnSays(const std::vector<std::string>& words) const;
  // Whether this turn's words name `text` in full.
  bool TurnNames(std::string_view text) const;

  // Whether somebody of `voice` said `folded`.
  bool Said(Voice voice, std::string_view folded, Edge edge) const;
  // Items in which it stands, earliest first, those that people vouch for before others. A call
  // says nothing of where its values came from, so calls are not among them.
  std::vector<const Item*> Find(std::string_view folded, Edge edge, std::size_t limit) const;

  // Items that nobody vouches for, the latest first.
  std::vector<const Item*> FromOutside(std::size_t limit) const;

  std::size_t items() const { return vouched_items_.size() + other_items_.size(); }
  void Clear();

 private:
  // What people vouch for is small, and must be found however much else there is.
  WordIndex vouched_, other_, calls_;
  std::vector<Item> vouched_items_, other_items_;
  std::string turn_;  // folded
};

// Taking in a conversation costs some microseconds a kilobyte: it is asked for when it is needed.
using Origins = std::function<const Provenance&()>;

}  // namespace talon::guard
