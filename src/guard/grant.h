// SPDX-License-Identifier: Apache-2.0
// Grants: calls the person allowed in advance, for unattended work. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/principal.h"

namespace talon::guard {

struct Grant {
  std::string id;
  Principal principal;  // tenant, user and agent must be the call's
  std::string tool;     // a glob
  // A glob for each argument a call may have; one that is not named here must not be there.
  std::map<std::string, std::string> arguments;
  WallTime until;
};

// {"path": "out/*"}; InvalidArgument when it is no object of texts.
absl::StatusOr<std::map<std::string, std::string>> ParseGlobs(std::string_view json);

// The first that allows the call now, or null.
const Grant* FindGrant(const std::vector<Grant>& grants, const Principal& principal,
                       std::string_view tool, const Json& arguments, WallTime now);

}  // namespace talon::guard
