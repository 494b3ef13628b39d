// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/rank.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "model/reflex/entities.h"
#include "model/reflex/parameters.h"

namespace talon::model::reflex {
namespace {

constexpr double kActionWeight = 3.0;
constexpr double kPluginWeight = 1.5;
constexpr double kTextWeight = 1.0;
constexpr double kSynonymFactor = 0.7;
constexpr std::size_t kMaxDescription = 1'000;  // bytes of a description looked at

// A word without its common English endings.
std::string Stem(std::string word) {
  const auto ends = [&word](std::string_view ending) { return word.ends_with(ending); };
  const auto drop = [&word](std::size_t count) { word.resize(word.size() - count); };
  if (word.size() > 4 && ends("ies")) {
    drop(3);
    word += 'y';
  } else if (word.size() > 4 && (ends("ses") || ends("xes") || ends("ches") || ends("shes"))) {
    drop(2);
  } else if (word.size() > 3 && ends("s") && !ends("ss")) {
    drop(1);
  }
  if (word.size() > 5 && ends("ing")) {
    drop(3);
    const std::size_t size = word.size();
    if (size > 3 && word[size - 1] == word[size - 2]) drop(1);
  }
  if (word.size() > 4 && ends("e")) drop(1);
  return word;
}

std::string_view ActionOf(const ToolDefinition& tool) {
  const std::size_t at = tool.name.find("__");
  return at == std::string::npos ? std::string_view(tool.name)
                                 : std::string_view(tool.name).substr(at + 2);
}

// Words by weight, stemmed.
std::map<std::string, double> Vocabulary(const ToolDefinition& tool) {
  std::map<std::string, double> words;
  const auto add = [&words](std::string_view text, double weight) {
    for (std::string& word : SplitWords(text)) {
      double& known = words[Stem(std::move(word))];
      known = std::max(known, weight);
    }
  };
  add(TruncateUtf8(tool.description, kMaxDescription), kTextWeight);
  for (const Parameter& parameter : ParametersOf(tool)) add(parameter.name, kTextWeight);
  add(tool.name, kPluginWeight);
  add(ActionOf(tool), kActionWeight);
  return words;
}

struct Word {
  std::string text;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The first words of a request with their places; enough for any phrase.
std::vector<Word> FirstWords(std::string_view text) {
  constexpr std::size_t kMost = 24;
  std::vector<Word> words;
  std::size_t at = 0;
  while (at < text.size() && words.size() < kMost) {
    const auto separator = [](char c) {
      return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':' || c == '!';
    };
    if (separator(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !separator(text[end])) ++end;
    words.push_back({ToLowerAscii(text.substr(at, end - at)), at, end});
    at = end;
  }
  return words;
}

// Words behind `at` that `phrase` takes up, articles passed over; 0 when it is not there.
std::size_t MatchPhrase(const std::vector<Word>& words, std::size_t at, const Words& phrase) {
  std::size_t next = at;
  for (std::size_t i = 0; i < phrase.size(); ++i) {
    while (i > 0 && next < words.size() && words[next].text != phrase[i] &&
           (words[next].text == "the" || words[next].text == "a" || words[next].text == "me")) {
      ++next;
    }
    if (next >= words.size() || words[next].text != phrase[i]) return 0;
    ++next;
  }
  return next - at;
}

// Index of the word with which the request proper begins.
std::size_t SkipFillers(const Texts& texts, const std::vector<Word>& words) {
  std::size_t at = 0;
  for (bool skipped = true; skipped && at < words.size();) {
    skipped = false;
    for (const Words& filler : texts.fillers()) {
      if (const std::size_t count = MatchPhrase(words, at, filler); count > 0) {
        at += count;
        skipped = true;
        break;
      }
    }
  }
  return at;
}

struct Head {
  std::size_t words = 0;  // how many
  double factor = 1.0;
};

// What of the words at `at` names the tool's action. Every word of an action such as "create_issue"
// must be there; a synonym stands for its first.
std::optional<Head> MatchAction(const Texts& texts, const ToolDefinition& tool,
                                const std::vector<Word>& words, std::size_t at) {
  const Words action = SplitWords(ActionOf(tool));
  if (action.empty()) return std::nullopt;
  if (const std::size_t count = MatchPhrase(words, at, action); count > 0) {
    return Head{count, 1.0};
  }
  for (const auto& [phrase, canonical] : texts.synonyms()) {
    if (canonical != action.front()) continue;
    const std::size_t count = MatchPhrase(words, at, phrase);
    if (count == 0) continue;
    const Words more(action.begin() + 1, action.end());
    const std::size_t others = more.empty() ? 0 : MatchPhrase(words, at + count, more);
    if (more.empty() || others > 0) return Head{count + others, kSynonymFactor};
  }
  return std::nullopt;
}

}  // namespace

std::vector<Candidate> RankTools(const Texts& texts, const std::vector<ToolDefinition>& tools,
                                 std::string_view request) {
  const std::vector<Word> words = FirstWords(request);
  const std::size_t begin = SkipFillers(texts, words);
  std::vector<Candidate> candidates;
  if (begin >= words.size()) return candidates;

  std::vector<std::map<std::string, double>> vocabularies;
  std::map<std::string, double> frequency;
  for (const ToolDefinition& tool : tools) {
    vocabularies.push_back(Vocabulary(tool));
    for (const auto& [word, weight] : vocabularies.back()) frequency[word] += 1;
  }
  const std::vector<Entity> entities = FindEntities(request);
  std::set<std::string> query;
  for (std::string& word : SplitWords(BlankEntities(request, entities))) {
    if (!texts.IsStopWord(word)) query.insert(Stem(std::move(word)));
  }
  for (const Entity& entity : entities) {
    const bool quoted = entity.kind == EntityKind::kQuoted || entity.kind == EntityKind::kCode;
    if (entity.kind == EntityKind::kPath ||
        (quoted && entity.text.find_first_of("./") != std::string::npos)) {
      query.insert({"path", "file"});
    }
    if (entity.kind == EntityKind::kUrl) query.insert("url");
    if (entity.kind == EntityKind::kCode) query.insert("command");
  }

  const auto count = static_cast<double>(tools.size());
  const auto rarity = [&](const std::string& word) {
    return std::log(1 + (count - frequency[word] + 0.5) / (frequency[word] + 0.5)) + 0.3;
  };
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::optional<Head> head = MatchAction(texts, tools[i], words, begin);
    if (!head) continue;
    const std::size_t end = words[begin + head->words - 1].end;
    Candidate candidate{&tools[i], kActionWeight * head->factor,
                        request.substr(words[begin].begin, end - words[begin].begin),
                        request.substr(end)};
    for (const std::string& word : query) {
      const auto known = vocabularies[i].find(word);
      if (known != vocabularies[i].end()) candidate.score += known->second * rarity(word);
    }
    // Of two phrases the longer one says more.
    candidate.score += static_cast<double>(head->words);
    candidates.push_back(candidate);
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.tool->name < b.tool->name;
  });
  return candidates;
}

Words UnknownWords(const Texts& texts, const ToolDefinition& tool, const Words& words) {
  const std::map<std::string, double> known = Vocabulary(tool);
  Words unknown;
  std::copy_if(words.begin(), words.end(), std::back_inserter(unknown),
               [&](const std::string& word) {
                 return !texts.IsStopWord(word) && !known.contains(Stem(word));
               });
  return unknown;
}

}  // namespace talon::model::reflex
