// SPDX-License-Identifier: Apache-2.0
// libcurl's result codes as Status. Internal to io/. Pure function.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace talon::io {

// `curl_code`: a CURLcode other than CURLE_OK; `detail`: libcurl's error text, may be empty.
// Deadlines are not libcurl's: a time-out it reports is that of connecting.
absl::Status CurlError(int curl_code, std::string_view detail, std::string_view request);

}  // namespace talon::io
