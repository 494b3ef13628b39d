// SPDX-License-Identifier: Apache-2.0
#include "replay.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace talon::mockllm {

bool Includes(const Json& whole, const Json& part) {
  if (part.is_object()) {
    return std::all_of(part.items().begin(), part.items().end(), [&](const auto& item) {
      const Json* found = JsonFind(whole, item.key());
      return found != nullptr && Includes(*found, item.value());
    });
  }
  if (part.is_array()) {
    return whole.is_array() && whole.size() == part.size() &&
           std::equal(part.begin(), part.end(), whole.begin(),
                      [](const Json& p, const Json& w) { return Includes(w, p); });
  }
  return whole == part;
}

bool Fits(const Exchange& exchange, const io::ServerRequest& request, const Json& body) {
  if (request.path.find(exchange.path) == std::string::npos) return false;
  for (const std::string& text : exchange.contains) {
    if (request.body.find(text) == std::string::npos) return false;
  }
  if (exchange.body.empty()) return true;
  auto part = ParseJson(exchange.body, "recorded body");
  return part.ok() && Includes(body, *part);
}

}  // namespace talon::mockllm
