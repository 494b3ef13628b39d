// SPDX-License-Identifier: Apache-2.0
#include "cli/call_arguments.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/client.h"

namespace talon::cli {

absl::StatusOr<Json> ParseCallArguments(const std::vector<std::string>& given) {
  if (given.size() == 1 && given[0].starts_with('{')) return ParseJson(given[0], "arguments");
  Json object = Json::object();
  for (const std::string& each : given) {
    TALON_RETURN_IF_ERROR(CheckUtf8("arguments", each));
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument(
          fmt::format("argument '{}': expected key=text, key:=JSON or one JSON object", each));
    }
    const std::string value = each.substr(equals + 1);
    if (each[equals - 1] == ':') {
      const std::string key = each.substr(0, equals - 1);
      TALON_ASSIGN_OR_RETURN(object[key], ParseJson(value, fmt::format("argument '{}'", key)));
    } else {
      object[each.substr(0, equals)] = value;
    }
  }
  return object;
}

}  // namespace talon::cli
