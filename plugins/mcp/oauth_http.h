// SPDX-License-Identifier: Apache-2.0
// The few plain requests that OAuth needs: one document, one form, one JSON body. Blocks the
// calling thread until the answer, the caller's cancellation or 15 s. Redirects are not followed.
// Only https is spoken, and this machine is spoken to only for a server that is on it: the
// addresses come from the server.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/caller.h"
#include "mcp/json_rpc.h"

namespace talon::plugins::mcp {

struct WebAnswer {
  int status = 0;
  Json body;  // null when it was no JSON object
};

class Web {
 public:
  // `server`: address of the MCP server. `caller` must outlive it.
  Web(const std::string& server, const Caller& caller);

  absl::StatusOr<WebAnswer> Get(const std::string& url) const;
  // application/x-www-form-urlencoded. `basic`: "user:password", or empty.
  absl::StatusOr<WebAnswer> PostForm(const std::string& url,
                                     const std::map<std::string, std::string>& form,
                                     const std::string& basic) const;
  absl::StatusOr<WebAnswer> PostJson(const std::string& url, const Json& body) const;

 private:
  struct Request {
    std::string url, body, content_type, basic;
  };
  absl::StatusOr<WebAnswer> Send(const Request& request) const;

  const bool local_;
  const Caller& caller_;
};

std::string UrlEncode(std::string_view text);
std::string UrlDecode(std::string_view text);
// "scheme://host:port", in lower case; empty when `url` has none.
std::string OriginOf(std::string_view url);
// Begins with '/' or is empty; without query and fragment.
std::string PathOf(std::string_view url);

}  // namespace talon::plugins::mcp
