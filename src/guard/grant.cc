// SPDX-License-Identifier: Apache-2.0
#include "guard/grant.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "guard/glob.h"

namespace talon::guard {
namespace {

bool Fits(const Grant& grant, const Json& arguments) {
  if (!arguments.is_object()) return false;
  for (const auto& [name, value] : arguments.items()) {
    const auto glob = grant.arguments.find(name);
    if (glob == grant.arguments.end()) return false;
    const std::string text = value.is_string() ? value.get<std::string>() : DumpJson(value);
    // "out/*" must not mean out of it.
    const bool climbs = text.find("..") != std::string::npos &&
                        glob->second.find("..") == std::string::npos && glob->second != "*";
    if (climbs || !GlobMatches(glob->second, text)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseGlobs(std::string_view json) {
  TALON_ASSIGN_OR_RETURN(const Json object, ParseJson(json, "arguments"));
  if (!object.is_object()) return InvalidArgument("arguments: must be an object of globs");
  std::map<std::string, std::string> globs;
  for (const auto& [name, glob] : object.items()) {
    if (!glob.is_string()) {
      return InvalidArgument(fmt::format("arguments.{}: must be a text", name));
    }
    globs[name] = glob.get<std::string>();
  }
  return globs;
}

const Grant* FindGrant(const std::vector<Grant>& grants, const Principal& principal,
                       std::string_view tool, const Json& arguments, WallTime now) {
  const auto found = std::ranges::find_if(grants, [&](const Grant& grant) {
    return grant.until > now && grant.principal.tenant == principal.tenant &&
           grant.principal.user == principal.user && grant.principal.agent == principal.agent &&
           GlobMatches(grant.tool, tool) && Fits(grant, arguments);
  });
  return found == grants.end() ? nullptr : &*found;
}

}  // namespace talon::guard
