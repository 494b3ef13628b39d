// SPDX-License-Identifier: Apache-2.0
// A URL taken apart by libcurl's own parser, the one that also makes the request: what is checked
// is what is fetched. Immutable, any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace talon::plugins {

struct Url {
  std::string text;    // normalised, without fragment
  std::string scheme;  // http or https
  std::string host;    // lower case; IPv6 in brackets
  std::string port;    // always there

  // InvalidArgument for anything but http and https, for missing hosts and for user names and
  // passwords in the URL.
  static absl::StatusOr<Url> Parse(const std::string& text);

  bool SameOrigin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

}  // namespace talon::plugins
