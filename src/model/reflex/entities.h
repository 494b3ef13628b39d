// SPDX-License-Identifier: Apache-2.0
// The parts of a message that can only be arguments: quoted text, code, JSON, URLs, paths,
// key=value, numbers. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace talon::model::reflex {

enum class EntityKind { kQuoted, kCode, kJson, kUrl, kPath, kPair, kNumber };

struct Entity {
  EntityKind kind;
  std::string text;       // without its quotes; of a pair: the value, without quotes
  std::string key;        // of a pair
  std::size_t begin = 0;  // bytes of the message it takes up, quotes included
  std::size_t end = 0;
};

// In order, not overlapping.
std::vector<Entity> FindEntities(std::string_view text);

// `text` with every entity blanked: as long as `text`.
std::string BlankEntities(std::string_view text, const std::vector<Entity>& entities);

}  // namespace talon::model::reflex
