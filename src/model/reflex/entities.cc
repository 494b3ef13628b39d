// SPDX-License-Identifier: Apache-2.0
#include "model/reflex/entities.h"

#include <algorithm>

namespace talon::model::reflex {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '_' || c == '-';
}

// Behind the bracket that closes the one at `at`, strings skipped; npos when none does.
std::size_t JsonEnd(std::string_view text, std::size_t at) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return kNone;
}

// The text behind the quote at `at` and where it ends; an apostrophe inside a word is no quote.
// `unclosed` collects the quotes that nothing closes any more, so that each is looked for once.
bool ReadQuoted(std::string_view text, std::size_t at, std::string& unclosed, Entity& entity) {
  constexpr std::string_view kOpen = "“";
  constexpr std::string_view kClose = "”";
  std::string_view close;
  std::size_t inside = at + 1;
  if (text[at] == '`') {
    close = text.substr(at).starts_with("```") ? "```" : "`";
    inside = at + close.size();
  } else if (text[at] == '"') {
    close = "\"";
  } else if (text[at] == '\'' && (at == 0 || !IsNameCharacter(text[at - 1]))) {
    close = "'";
  } else if (text.substr(at).starts_with(kOpen)) {
    close = kClose;
    inside = at + kOpen.size();
  } else {
    return false;
  }
  const char mark = close.size() == 3 ? text[at] == '`' ? '3' : '2' : close[0];
  if (unclosed.find(mark) != kNone) return false;
  std::size_t end = text.find(close, inside);
  while (close == "'" && end != kNone && end + 1 < text.size() && IsNameCharacter(text[end + 1])) {
    end = text.find(close, end + 1);
  }
  if (end == kNone) {
    unclosed += mark;
    return false;
  }
  entity.kind = text[at] == '`' ? EntityKind::kCode : EntityKind::kQuoted;
  entity.text = text.substr(inside, end - inside);
  if (close == "```" && !entity.text.empty() && entity.text.back() == '\n') entity.text.pop_back();
  entity.begin = at;
  entity.end = end + close.size();
  return true;
}

std::string_view WithoutEndMarks(std::string_view word) {
  constexpr std::string_view kMarks = ".,;:!?)]}>\"'";
  while (!word.empty() && kMarks.find(word.back()) != kNone) word.remove_suffix(1);
  return word;
}

// A folder mark, or a name with an ending such as README.md; not "3.5", "e.g." or "ok.Then".
bool LooksLikePath(std::string_view word) {
  if (word.size() < 2 || word.size() > 4096) return false;
  if (word.starts_with("./") || word.starts_with("../") || word.starts_with("~/") || word == "..") {
    return true;
  }
  if (word.find('/') != kNone) {
    return word.find_first_not_of("/") != kNone &&
           std::any_of(word.begin(), word.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    static_cast<signed char>(c) < 0;
           });
  }
  const std::size_t dot = word.rfind('.');
  if (dot == kNone || dot + 1 == word.size() || word.size() - dot > 9) return false;
  const std::string_view ending = word.substr(dot + 1);
  const bool lettered =
      std::any_of(ending.begin(), ending.end(), [](char c) { return !IsDigit(c); });
  return lettered && std::all_of(ending.begin(), ending.end(), IsNameCharacter) &&
         (dot == 0 || dot > 1 || word.size() > 3);
}

// The entity that is the word at `at`, which ends at `end`.
bool ReadWord(std::string_view text, std::size_t at, std::size_t end, std::string& unclosed,
              Entity& entity) {
  std::string_view word = text.substr(at, end - at);
  entity.begin = at;
  if (word.starts_with("http://") || word.starts_with("https://")) {
    word = WithoutEndMarks(word);
    entity.kind = EntityKind::kUrl;
  } else if (const std::size_t equals = word.find('=');
             equals != kNone && equals > 0 && equals + 1 < word.size() &&
             std::all_of(word.begin(), word.begin() + static_cast<long>(equals), IsNameCharacter)) {
    entity.kind = EntityKind::kPair;
    entity.key = word.substr(0, equals);
    entity.end = end;
    Entity value;
    if (ReadQuoted(text, at + equals + 1, unclosed, value)) {
      entity.text = value.text;
      entity.end = value.end;
    } else {
      entity.text = word.substr(equals + 1);
    }
    return true;
  } else {
    word = WithoutEndMarks(word);
    if (!word.empty() && std::all_of(word.begin(), word.end(), IsDigit)) {
      entity.kind = EntityKind::kNumber;
    } else if (LooksLikePath(word)) {
      entity.kind = EntityKind::kPath;
    } else {
      return false;
    }
  }
  entity.text = word;
  entity.end = at + word.size();
  return true;
}

}  // namespace

std::vector<Entity> FindEntities(std::string_view text) {
  std::vector<Entity> entities;
  std::string unclosed;
  bool json_may_follow = true;  // one unclosed bracket tells for all behind it
  for (std::size_t at = 0; at < text.size();) {
    if (IsSpace(text[at])) {
      ++at;
      continue;
    }
    Entity entity{};
    if (json_may_follow && text[at] == '{') {
      const std::size_t end = JsonEnd(text, at);
      if (end != kNone) {
        entities.push_back(
            {EntityKind::kJson, std::string(text.substr(at, end - at)), "", at, end});
        at = end;
        continue;
      }
      json_may_follow = false;
    }
    if (ReadQuoted(text, at, unclosed, entity)) {
      at = entity.end;
      entities.push_back(std::move(entity));
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !IsSpace(text[end])) ++end;
    // "(see README.md)": the mark before a word is not part of it.
    if (text[at] == '(' || text[at] == '[' || text[at] == '<' || text[at] == ',') {
      ++at;
    } else if (ReadWord(text, at, end, unclosed, entity)) {
      at = entity.end;
      entities.push_back(std::move(entity));
    } else {
      at = end;
    }
  }
  return entities;
}

std::string BlankEntities(std::string_view text, const std::vector<Entity>& entities) {
  std::string blanked(text);
  for (const Entity& entity : entities) {
    std::fill(blanked.begin() + static_cast<long>(entity.begin),
              blanked.begin() + static_cast<long>(entity.end), ' ');
  }
  return blanked;
}

}  // namespace talon::model::reflex
