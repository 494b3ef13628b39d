// SPDX-License-Identifier: Apache-2.0
#include "plugin/switches.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

absl::Status Unreadable(const std::string& path, std::string_view why) {
  return FailedPrecondition(fmt::format(
      "'{}', which says what plugins are switched off, cannot be read: {}. Repair it, or "
      "remove it and run `talon plugins disable` again",
      path, why));
}

}  // namespace

absl::StatusOr<std::set<std::string>> ReadSwitches(const std::string& path) {
  std::set<std::string> off;
  const auto text = ReadFile(path, kMaxFile);
  if (absl::IsNotFound(text.status())) return off;
  if (!text.ok()) return Unreadable(path, Message(text.status()));
  const auto json = ParseJson(*text, "content");
  if (!json.ok()) return Unreadable(path, Message(json.status()));
  const Json* names = JsonFind(*json, "off");
  if (names == nullptr || !names->is_array()) return Unreadable(path, "it has no list 'off'");
  for (const Json& name : *names) {
    if (name.is_string()) off.insert(name.get<std::string>());
  }
  return off;
}

absl::Status WriteSwitches(const std::string& path, const std::set<std::string>& off) {
  TALON_RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string()));
  return WriteFileAtomic(path, DumpJson({{"off", off}}) + "\n", 0600);
}

}  // namespace talon::plugin
