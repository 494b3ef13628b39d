// SPDX-License-Identifier: Apache-2.0
// What a server listed last time, kept in the plugin's folder: a plugin that is started for one
// call knows its tools before its servers have come up. Blocking; any thread.
#pragma once

#include <optional>
#include <string>

#include "mcp/config.h"
#include "mcp/offer.h"

namespace talon::plugins::mcp {

class ListingCache {
 public:
  // An empty folder keeps nothing.
  explicit ListingCache(std::string folder) : folder_(std::move(folder)) {}

  // Nothing when the server was configured differently then.
  std::optional<Listing> Load(const ServerConfig& server) const;
  void Save(const ServerConfig& server, const Listing& listing) const;

 private:
  std::string PathOf(const ServerConfig& server) const;
  const std::string folder_;
};

}  // namespace talon::plugins::mcp
