// SPDX-License-Identifier: Apache-2.0
#include "tool/catalogue.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace talon::tool {
namespace {

constexpr std::size_t kMaxName = 64;  // what every provider accepts

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

absl::Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName ||
      !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return InvalidArgument(fmt::format("add tool '{}': a name is 1 to {} of a-z A-Z 0-9 _ -",
                                       TruncateUtf8(RepairUtf8(name), 80), kMaxName));
  }
  return absl::OkStatus();
}

// What names that mean the same have in common.
std::string Fold(std::string_view name) {
  std::string folded;
  for (char c : ToLowerAscii(name)) {
    if (c == '.') {
      folded += "__";
    } else {
      folded += c == '-' ? '_' : c;
    }
  }
  return folded;
}

std::string_view WithoutPlugin(std::string_view folded) {
  const std::size_t at = folded.find("__");
  return at == std::string_view::npos ? folded : folded.substr(at + 2);
}

}  // namespace

absl::Status Catalogue::Add(std::shared_ptr<Tool> tool) {
  if (tool == nullptr) return InvalidArgument("add tool: no tool given");
  const ToolSpec& spec = tool->spec();
  TALON_RETURN_IF_ERROR(CheckName(spec.name));
  if (const auto it = entries_.find(spec.name); it != entries_.end()) {
    return absl::AlreadyExistsError(fmt::format("add tool '{}': plugin '{}' already has that name",
                                                spec.name, it->second.tool->spec().plugin));
  }
  auto schema = Schema::Compile(spec.schema);
  if (!schema.ok()) {
    return Annotate(schema.status(), fmt::format("add tool '{}'", spec.name));
  }
  std::string name = spec.name;
  entries_.emplace(std::move(name), Entry{std::move(tool), *std::move(schema)});
  return absl::OkStatus();
}

std::vector<absl::Status> Catalogue::Replace(std::string_view plugin,
                                             std::vector<std::shared_ptr<Tool>> tools) {
  RemovePlugin(plugin);
  std::vector<absl::Status> refused;
  for (std::shared_ptr<Tool>& tool : tools) {
    if (absl::Status added = Add(std::move(tool)); !added.ok()) refused.push_back(added);
  }
  return refused;
}

void Catalogue::RemovePlugin(std::string_view plugin) {
  std::erase_if(entries_,
                [&](const auto& item) { return item.second.tool->spec().plugin == plugin; });
}

const Entry* Catalogue::Find(std::string_view name) const {
  if (const auto it = entries_.find(name); it != entries_.end()) return &it->second;
  if (name.empty() || name.size() > 2 * kMaxName) return nullptr;
  const std::string wanted = Fold(name);
  const Entry* whole = nullptr;
  const Entry* action = nullptr;
  int whole_count = 0;
  int action_count = 0;
  for (const auto& [known, entry] : entries_) {
    const std::string folded = Fold(known);
    if (folded == wanted) {
      whole = &entry;
      ++whole_count;
    } else if (WithoutPlugin(folded) == wanted) {
      action = &entry;
      ++action_count;
    }
  }
  if (whole_count > 0) return whole_count == 1 ? whole : nullptr;
  return action_count == 1 ? action : nullptr;
}

std::vector<const Entry*> Catalogue::All() const {
  std::vector<const Entry*> all;
  all.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) all.push_back(&entry);
  return all;
}

std::vector<std::string> Catalogue::Similar(std::string_view name) const {
  constexpr std::size_t kMost = 3;
  const std::string wanted = Fold(name.substr(0, kMaxName));
  const std::string_view wanted_action = WithoutPlugin(wanted);
  std::vector<std::pair<std::size_t, std::string_view>> near;
  for (const auto& [known, entry] : entries_) {
    const std::string folded = Fold(known);
    const std::string_view action = WithoutPlugin(folded);
    const std::size_t distance =
        std::min(EditDistance(wanted, folded), EditDistance(wanted_action, action) + 1);
    const bool contained =
        wanted_action.size() >= 3 && folded.find(wanted_action) != std::string::npos;
    if (contained || distance <= std::max<std::size_t>(2, wanted.size() / 3)) {
      near.emplace_back(distance, known);
    }
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (const auto& [distance, known] : near) {
    if (names.size() == kMost) break;
    names.emplace_back(known);
  }
  return names;
}

}  // namespace talon::tool
