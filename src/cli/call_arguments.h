// SPDX-License-Identifier: Apache-2.0
// A call's arguments as they are typed at a shell. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace talon::cli {

// One JSON object, or any number of key=text and key:=JSON. An object; InvalidArgument names the
// word that does not fit.
absl::StatusOr<Json> ParseCallArguments(const std::vector<std::string>& given);

}  // namespace talon::cli
