// SPDX-License-Identifier: Apache-2.0
// What a server's tools, resources and prompts become for talon: names, effects and schemas. Pure
// functions, any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/config.h"
#include "mcp/json_rpc.h"
#include "talon/sdk/plugin.h"

namespace talon::plugins::mcp {

struct Offer {
  enum class Kind { kTool, kListResources, kReadResource, kListPrompts, kGetPrompt };
  Kind kind = Kind::kTool;
  std::string name;  // "<server>__<tool>", at most 48 characters
  std::string server;
  Json tool;  // as the server listed it; kTool only
  std::string description;
  Json schema;
  sdk::Effect effect = sdk::Effect::kExec;
  bool read_only = false;
  std::vector<std::string> sinks;

  bool operator==(const Offer&) const = default;
};

struct Listing {
  std::vector<Json> tools;
  bool resources = false, prompts = false;
  bool http = false;    // a server elsewhere: what it does is `send`, not `exec`
  bool modern = false;  // 2026-07-28
};

// Tools the configuration includes, in the server's order. Left out with a line in the log: tools
// without a usable name, with headers the specification forbids, and those whose names come out the
// same (none of them is offered).
std::vector<Offer> MakeOffers(const ServerConfig& server, const Listing& listing);

// "<server>__<tool>" of a-z A-Z 0-9 _ -, at most 48. Whenever the tool's own name cannot stay as it
// is, the name ends in "_" and six hex digits that depend on it, always the same ones.
std::string OfferName(std::string_view server, std::string_view tool);

}  // namespace talon::plugins::mcp
