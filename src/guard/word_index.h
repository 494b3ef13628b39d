// SPDX-License-Identifier: Apache-2.0
// Finds where a value stands in texts, by their words: some hundred nanoseconds however much text
// there is. Texts are folded first, so that a value is found in another spelling of the same: case,
// URL encoding, JSON escapes. Built by adding; any thread that owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace talon::guard {

// Lower case; %2F and JSON's \/ \" \u002f as what they stand for; runs of spaces as one.
std::string Fold(std::string_view text);

// What may stand around a value for it to count as that value.
enum class Edge {
  kWord,     // no letter or digit
  kHost,     // nor what would make it another host: "evil.org" is not in "my-evil.org.uk"
  kPath,     // nor what would make it another path: "a.txt" is not in "b/a.txt" or "a.txt.bak"
  kFolder,   // begins as a path and is one: "out" in "out/", not in "out/x"
  kAddress,  // nor what would make it another mail address
  kNumber,   // nor what would make it another number
  kCommand,  // spaces, quotes, the end of a sentence
};

class WordIndex {
 public:
  WordIndex();
  // Returns the text's number, from 0. Text beyond the index's limit is left out: what is not found
  // is not trusted.
  std::size_t Add(std::string_view text);
  // Numbers of the texts in which `folded` (by Fold) stands, ascending; at most `limit`. Looks at
  // the latest `places` where its rarest word stands.
  static constexpr std::size_t kEverywhere = static_cast<std::size_t>(-1);
  std::vector<std::size_t> Find(std::string_view folded, Edge edge, std::size_t limit,
                                std::size_t places = kEverywhere) const;
  std::size_t bytes() const { return all_.size(); }
  void Clear();

 private:
  struct Word {
    std::uint32_t hash = 0;  // 0: the place is free
    std::uint32_t count = 0;
    std::uint32_t last = 0;  // posting
  };
  struct Posting {
    std::uint32_t at = 0;  // in all_
    std::uint32_t before = 0;
  };
  const Word* FindWord(std::uint32_t hash) const;
  Word& TakeWord(std::uint32_t hash);
  void Grow();

  std::string all_;                    // every text, a 0 behind each
  std::vector<std::uint32_t> begins_;  // of the texts in all_
  std::vector<Word> words_;            // open addressing; the size is a power of two
  std::size_t used_ = 0;
  std::vector<Posting> postings_;  // the first stands for none
};

}  // namespace talon::guard
