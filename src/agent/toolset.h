// SPDX-License-Identifier: Apache-2.0
// Which tools a prompt shows. Few: all in full. Many: a line each, schemas on demand through
// talon__load_tools; what a session has loaded is read off its history. Loop's thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/types.h"
#include "tool/catalogue.h"

namespace talon::agent {

inline constexpr std::string_view kLoadToolsName = "talon__load_tools";
inline constexpr std::string_view kReadArtifactName = "artifact__read";

struct Toolset {
  std::vector<model::ToolDefinition> shown;
  std::vector<std::string> lines;  // "name: first sentence" of those not shown
};

// `history` is searched for calls to talon__load_tools.
Toolset ChooseTools(const tool::Catalogue& catalogue, std::size_t eager_limit,
                    const std::vector<const model::Message*>& history);

// The names in a talon__load_tools call.
std::vector<std::string> LoadedNames(std::string_view arguments);

}  // namespace talon::agent
