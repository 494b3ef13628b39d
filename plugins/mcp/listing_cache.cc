// SPDX-License-Identifier: Apache-2.0
#include "mcp/listing_cache.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "talon/sdk/log.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxBytes = 8u << 20;

// What makes it another server. No secrets: neither environment nor headers.
Json KeyOf(const ServerConfig& server) {
  return {{"command", server.command},
          {"args", server.args},
          {"url", server.url},
          {"protocol", server.protocol}};
}

}  // namespace

std::string ListingCache::PathOf(const ServerConfig& server) const {
  return fmt::format("{}/{}.tools.json", folder_, server.name);
}

std::optional<Listing> ListingCache::Load(const ServerConfig& server) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream file(PathOf(server), std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()) || text.view().size() > kMaxBytes) return std::nullopt;
  const absl::StatusOr<Json> kept = ParseJson(text.view());
  if (!kept.ok() || MemberOf(*kept, "server") != KeyOf(server)) return std::nullopt;
  const Json& tools = MemberOf(*kept, "tools");
  if (!tools.is_array()) return std::nullopt;
  return Listing{.tools = {tools.begin(), tools.end()},
                 .resources = BoolOf(*kept, "resources"),
                 .prompts = BoolOf(*kept, "prompts"),
                 .http = !server.url.empty(),
                 .modern = BoolOf(*kept, "modern")};
}

void ListingCache::Save(const ServerConfig& server, const Listing& listing) const {
  if (folder_.empty()) return;
  const Json kept = {{"server", KeyOf(server)},
                     {"tools", listing.tools},
                     {"resources", listing.resources},
                     {"prompts", listing.prompts},
                     {"modern", listing.modern}};
  const std::string path = PathOf(server), next = path + ".new";
  std::ofstream file(next, std::ios::binary | std::ios::trunc);
  file << Dump(kept);
  file.close();
  if (!file || std::rename(next.c_str(), path.c_str()) != 0) {
    sdk::Log(sdk::LogLevel::kDebug,
             fmt::format("server '{}': its tools are not kept in '{}'", server.name, path));
  }
}

}  // namespace talon::plugins::mcp
