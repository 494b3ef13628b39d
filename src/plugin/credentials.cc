// SPDX-License-Identifier: Apache-2.0
#include "plugin/credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kLongestName = 64;

bool IsCredentialName(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

}  // namespace

io::Task<absl::StatusOr<Credentials>> ConfiguredCredentials::Fetch(std::string /*plugin*/,
                                                                   PluginEntry entry) {
  co_return std::move(entry.credentials);
}

absl::Status CheckCredentials(const Credentials& credentials) {
  for (const auto& [name, value] : credentials) {
    if (!IsCredentialName(name)) {
      return InvalidArgument(
          fmt::format("credentials: '{}' is no name of a credential: 1 to {} of a-z A-Z 0-9 _ - .",
                      TruncateUtf8(RepairUtf8(name), kLongestName), kLongestName));
    }
    if (value.empty()) {
      return InvalidArgument(fmt::format("credentials: '{}' is empty", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace talon::plugin
