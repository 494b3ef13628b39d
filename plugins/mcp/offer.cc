// SPDX-License-Identifier: Apache-2.0
#include "mcp/offer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "mcp/param_headers.h"
#include "mcp/schema.h"
#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxName = 48;
constexpr std::size_t kMaxRemoteName = 256;
constexpr std::size_t kMaxDescription = 1'024;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// FNV-1a: stable over versions and machines.
std::uint32_t Hash(std::string_view text) {
  std::uint32_t hash = 2'166'136'261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619u;
  return hash;
}

bool Any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return Matches(pattern, name); });
}

bool Included(const ServerConfig& server, std::string_view name) {
  return (server.include.empty() || Any(server.include, name)) && !Any(server.exclude, name);
}

// A server's word on what its tool does counts only where the operator says so: a tool that says of
// itself that it only reads is otherwise treated like one that does anything.
void SetEffect(const ServerConfig& server, bool http, const Json& tool, Offer& offer) {
  offer.effect = http ? sdk::Effect::kSend : sdk::Effect::kExec;
  offer.sinks = ArgumentNames(offer.schema);
  const std::string name = StringOf(tool, "name");
  const std::pair<const std::string, sdk::Effect>* word = nullptr;
  for (const auto& each : server.effects) {
    // The longest pattern is the most particular.
    if (Matches(each.first, name) && (word == nullptr || each.first.size() > word->first.size())) {
      word = &each;
    }
  }
  if (word != nullptr) {
    offer.effect = word->second;
    offer.read_only = word->second == sdk::Effect::kRead;
    if (offer.read_only) offer.sinks.clear();
    return;
  }
  if (!server.trust_hints) return;
  const Json& hints = MemberOf(tool, "annotations");
  const bool open = BoolOf(hints, "openWorldHint", true);
  if (BoolOf(hints, "readOnlyHint")) {
    offer.read_only = true;
    offer.effect = open ? sdk::Effect::kSend : sdk::Effect::kRead;
    if (!open) offer.sinks.clear();
  } else if (!open && !BoolOf(hints, "destructiveHint", true)) {
    offer.effect = sdk::Effect::kWrite;
  }
}

std::string Described(const Json& tool) {
  std::string text = StringOf(tool, "description");
  if (text.empty()) text = StringOf(tool, "title");
  if (text.empty()) text = StringOf(tool, "name");
  return sdk::RepairUtf8(std::string(sdk::TruncateUtf8(text, kMaxDescription)));
}

void Warn(const ServerConfig& server, std::string_view tool, std::string_view why) {
  sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': tool '{}' is not offered: {}",
                                             server.name, sdk::TruncateUtf8(tool, 100), why));
}

Offer Own(const ServerConfig& server, Offer::Kind kind, const char* name, std::string description,
          Json properties, Json required) {
  Offer offer{.kind = kind, .name = OfferName(server.name, name), .server = server.name};
  offer.description = std::move(description);
  offer.schema = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) offer.schema["required"] = std::move(required);
  // Reading tells the server what is read; the protocol knows no reading that changes something.
  const bool tells = kind == Offer::Kind::kReadResource || kind == Offer::Kind::kGetPrompt;
  offer.effect = tells ? sdk::Effect::kSend : sdk::Effect::kRead;
  offer.read_only = true;
  if (tells) offer.sinks = ArgumentNames(offer.schema);
  return offer;
}

void AddOwn(const ServerConfig& server, const Listing& listing, std::vector<Offer>& out) {
  const Json text = {{"type", "string"}};
  if (listing.resources && server.resources) {
    out.push_back(Own(server, Offer::Kind::kListResources, "resources_list",
                      fmt::format("List resources of {}.", server.name), Json::object(),
                      Json::array()));
    out.push_back(Own(server, Offer::Kind::kReadResource, "resources_read",
                      fmt::format("Read a resource of {} by its uri.", server.name),
                      {{"uri", text}}, {"uri"}));
  }
  if (listing.prompts && server.prompts) {
    out.push_back(Own(server, Offer::Kind::kListPrompts, "prompts_list",
                      fmt::format("List prompt templates of {}.", server.name), Json::object(),
                      Json::array()));
    out.push_back(
        Own(server, Offer::Kind::kGetPrompt, "prompts_get",
            fmt::format("Get a prompt template of {} filled in.", server.name),
            {{"name", text}, {"arguments", {{"type", "object"}, {"additionalProperties", text}}}},
            {"name"}));
  }
}

}  // namespace

std::string OfferName(std::string_view server, std::string_view tool) {
  std::string name = fmt::format("{}__{}", server, tool);
  const bool fine = name.size() <= kMaxName && std::all_of(name.begin(), name.end(), IsNameChar);
  if (fine) return name;
  std::replace_if(name.begin(), name.end(), [](char c) { return !IsNameChar(c); }, '_');
  const std::string mark = fmt::format("_{:06x}", Hash(tool) & 0xFFFFFF);
  return name.substr(0, kMaxName - mark.size()) + mark;
}

std::vector<Offer> MakeOffers(const ServerConfig& server, const Listing& listing) {
  std::vector<Offer> out;
  std::map<std::string, int> count;
  AddOwn(server, listing, out);
  for (const Offer& offer : out) ++count[offer.name];
  for (const Json& tool : listing.tools) {
    const std::string name = StringOf(tool, "name");
    if (name.empty() || name.size() > kMaxRemoteName) {
      Warn(server, name, "it has no usable name");
      continue;
    }
    if (!Included(server, name)) continue;
    const Json& schema = MemberOf(tool, "inputSchema");
    if (listing.http && listing.modern) {
      if (const auto marked = FindParamHeaders(schema); !marked.ok()) {
        Warn(server, name, Why(marked.status()));
        continue;
      }
    }
    Offer offer{.name = OfferName(server.name, name), .server = server.name, .tool = tool};
    offer.description = Described(tool);
    offer.schema = FitSchema(schema);
    SetEffect(server, listing.http, tool, offer);
    ++count[offer.name];
    out.push_back(std::move(offer));
  }
  std::erase_if(out, [&](const Offer& offer) {
    if (count[offer.name] == 1) return false;
    Warn(server, StringOf(offer.tool, "name"),
         fmt::format("{} tools come out as '{}'", count[offer.name], offer.name));
    return true;
  });
  return out;
}

}  // namespace talon::plugins::mcp
