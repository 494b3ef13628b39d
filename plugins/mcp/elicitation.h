// SPDX-License-Identifier: Apache-2.0
// A server's question to the person (`elicitation/create`): checked, asked, and its answer put into
// the form the server expects. Pure but for the asking.
#pragma once

#include <string>
#include <string_view>

#include "mcp/caller.h"
#include "mcp/json_rpc.h"

namespace talon::plugins::mcp {

// The result of the request: {"action": "accept"|"decline"|"cancel", "content": {…}}. Members the
// person left out get the schema's defaults; members the schema does not know are dropped; an
// answer that does not fit it is a cancel. Questions that are no form of plain values, or whose
// page is neither https nor on this machine, are not asked: decline.
Json Elicit(std::string_view server, const Json& params, Caller& caller);

// Completes and checks the person's answer; InvalidArgument names the member.
absl::StatusOr<Json> FitAnswer(const Json& schema, const Json& answer);

bool IsThisMachine(const std::string& url);
// https, or http to this machine itself.
bool IsSafePage(const std::string& url);

}  // namespace talon::plugins::mcp
