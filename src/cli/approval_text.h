// SPDX-License-Identifier: Apache-2.0
// An approval and a judgement of the policy as a person reads them. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace talon::cli {

// What the call is, why it is asked, why now, and where each value came from, line by line.
std::string ApprovalText(const Json& approval);
// "sinks" of a judgement: argument, value, verdict, rule, parts with their sources. A reason that
// was `told` already is not told again.
std::string JudgementText(const Json& judgement, std::string_view told = "");
// "asked 3 min ago, expires in 57 min".
std::string AgeText(const Json& approval, WallTime now);

inline constexpr int kOfferedHours = 24;  // that a grant made from an approval holds

// The grant that would have spared this approval, as POST /v1/grants takes it: this tool, each
// argument that says where the effect goes exactly as it is, any text for the others. Nothing where
// none is fit: the call needs a code, nothing says where it goes, or a value would mean others too.
std::optional<Json> GrantFor(const Json& approval);
// "talon grants add …", for a shell.
std::string GrantCommand(const Json& grant);

}  // namespace talon::cli
