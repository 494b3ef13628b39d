// SPDX-License-Identifier: Apache-2.0
// What revision 2026-07-28 wants repeated in HTTP headers: the method, the name, and arguments a
// tool's schema marks with `x-mcp-header`. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/json_rpc.h"

namespace talon::plugins::mcp {

using Headers = std::vector<std::pair<std::string, std::string>>;

// `text` as a header's value: as it is, or "=?base64?…?=" when it is not plain ASCII.
std::string HeaderValue(std::string_view text);

// Mcp-Method, and Mcp-Name for the methods that have one.
Headers MethodHeaders(const std::string& method, const Json& params);

struct ParamHeader {
  std::vector<std::string> path;  // of `properties` keys
  std::string header;             // "Mcp-Param-Region"
};

// InvalidArgument for annotations the specification forbids: the tool must not be offered then.
absl::StatusOr<std::vector<ParamHeader>> FindParamHeaders(const Json& input_schema);

Headers ParamHeaderValues(const std::vector<ParamHeader>& params, const Json& arguments);

}  // namespace talon::plugins::mcp
