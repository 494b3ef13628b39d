// SPDX-License-Identifier: Apache-2.0
// One HTTP exchange with its redirects, over libcurl. The address of every connection is checked
// when its socket is made. Blocks its thread; ends within the timeout, and at once when cancelled.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::plugins {

struct FetchPolicy {
  bool allow_private = false;                 // any address
  std::set<std::string> allow_hosts;          // host or host:port: any address for these
  std::size_t max_body_bytes = 1u << 20;      // after decompression; the rest is cut off
  std::chrono::milliseconds timeout{30'000};  // for all redirects together
  int max_redirects = 5;
};

struct FetchRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  bool has_body = false;  // set by Fetch
};

struct FetchResponse {
  long status = 0;
  std::string url;                             // the last one
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string body;
  bool body_cut = false;
  int redirects = 0;
};

// GET and HEAD follow redirects anywhere that is allowed; the caller's headers are left behind at
// the first other origin. Other methods follow only within their origin: the answer is then the
// redirect itself. Errors: InvalidArgument (url, method, headers), PermissionDenied (an address
// that is not allowed), DeadlineExceeded, Cancelled, Unavailable.
absl::StatusOr<FetchResponse> Fetch(const FetchRequest& request, const FetchPolicy& policy,
                                    const sdk::CallInfo& call);

}  // namespace talon::plugins
