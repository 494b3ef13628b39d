// SPDX-License-Identifier: Apache-2.0
// Results of a server as text for a model: text as it is, everything else as a note of what was
// there. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "mcp/json_rpc.h"
#include "talon/sdk/plugin.h"

namespace talon::plugins::mcp {

// A CallToolResult. `isError` becomes an error result; structuredContent goes along, and is the
// text when there is no other.
sdk::Result RenderToolResult(const Json& result);
// A ReadResourceResult.
std::string RenderResource(const Json& result);
// A GetPromptResult: its messages with their roles.
std::string RenderPrompt(const Json& result);
// Lists, one line an entry.
std::string RenderResources(const std::vector<Json>& resources, const std::vector<Json>& templates);
std::string RenderPrompts(const std::vector<Json>& prompts);

}  // namespace talon::plugins::mcp
