// SPDX-License-Identifier: Apache-2.0
// What a good manifest keeps beyond what the host insists on. Pure, any thread.
#pragma once

#include <string_view>
#include <vector>

#include "plugin/check/check.h"
#include "plugin/manifest.h"

namespace talon::plugin::check {

// The finding "manifest": versions, descriptions, schemas, effects, sinks.
Finding JudgeManifest(const Manifest& manifest);

// A unary method of each extension point that the manifest says the plugin serves.
std::vector<std::string_view> DeclaredMethods(const Manifest& manifest);

}  // namespace talon::plugin::check
