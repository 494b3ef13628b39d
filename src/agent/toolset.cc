// SPDX-License-Identifier: Apache-2.0
#include "agent/toolset.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace talon::agent {
namespace {

constexpr std::size_t kLineBytes = 100;

std::string Line(const tool::ToolSpec& spec) {
  std::string_view text = spec.description;
  text = text.substr(0, text.find_first_of("\n"));
  if (const auto end = text.find(". "); end != std::string_view::npos) text = text.substr(0, end);
  return fmt::format("{}: {}", spec.name, TruncateUtf8(text, kLineBytes));
}

}  // namespace

std::vector<std::string> LoadedNames(std::string_view arguments) {
  std::vector<std::string> names;
  auto json = ParseJson(arguments, "arguments");
  if (!json.ok()) return names;
  const Json* list = JsonFind(*json, "names");
  if (list == nullptr || !list->is_array()) return names;
  for (const Json& name : *list) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

namespace {

// The tools whose schemas calls to talon__load_tools in `history` asked for.
std::set<std::string, std::less<>> LoadedIn(const std::vector<const model::Message*>& history,
                                            const tool::Catalogue& catalogue) {
  std::set<std::string, std::less<>> loaded;
  for (const model::Message* message : history) {
    for (const model::Part& part : message->parts) {
      const auto* call = std::get_if<model::ToolCall>(&part);
      if (call == nullptr || call->name != kLoadToolsName) continue;
      for (const std::string& name : LoadedNames(call->arguments)) {
        const tool::Entry* entry = catalogue.Find(name);
        if (entry != nullptr) loaded.insert(entry->tool->spec().name);
      }
    }
  }
  return loaded;
}

}  // namespace

Toolset ChooseTools(const tool::Catalogue& catalogue, std::size_t eager_limit,
                    const std::vector<const model::Message*>& history) {
  std::vector<const tool::Entry*> offered;
  for (const tool::Entry* entry : catalogue.All()) {
    const tool::ToolSpec& spec = entry->tool->spec();
    if (!spec.user_only && spec.name != kLoadToolsName) offered.push_back(entry);
  }
  const bool lazy = offered.size() > eager_limit;
  std::set<std::string, std::less<>> loaded;
  if (lazy) loaded = LoadedIn(history, catalogue);
  Toolset set;
  for (const tool::Entry* entry : offered) {
    const tool::ToolSpec& spec = entry->tool->spec();
    if (lazy && !spec.always_include && !loaded.contains(spec.name)) {
      set.lines.push_back(Line(spec));
    } else {
      set.shown.push_back(
          {.name = spec.name, .description = spec.description, .schema = spec.schema});
    }
  }
  if (lazy) {
    if (const tool::Entry* loader = catalogue.Find(kLoadToolsName)) {
      const tool::ToolSpec& spec = loader->tool->spec();
      set.shown.push_back(
          {.name = spec.name, .description = spec.description, .schema = spec.schema});
    }
  }
  return set;
}

}  // namespace talon::agent
