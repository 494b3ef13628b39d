// SPDX-License-Identifier: Apache-2.0
// Files that people write in YAML: one file is one document. Pure, any thread.
#pragma once

#include <optional>
#include <string>

namespace talon::guard {

// The line (from 1) at which a second document begins. Throws YAML::ParserException. Unlike
// YAML::LoadAll it ends on every text: before a stray ',' that one finds documents without end.
std::optional<int> SecondDocument(const std::string& text);

}  // namespace talon::guard
