// SPDX-License-Identifier: Apache-2.0
#include "io/curl_error.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <string>

#include "base/status.h"

namespace talon::io {

absl::Status CurlError(int curl_code, std::string_view detail, std::string_view request) {
  const auto code = static_cast<CURLcode>(curl_code);
  if (detail.empty()) detail = ::curl_easy_strerror(code);
  const std::string text = fmt::format("{}: {}", request, detail);
  switch (code) {
    case CURLE_URL_MALFORMAT:
      return InvalidArgument(text);
    case CURLE_UNSUPPORTED_PROTOCOL:  // the request's own was checked: a redirect's, or HTTP/0.9
    case CURLE_TOO_MANY_REDIRECTS:
      return FailedPrecondition(text);
    case CURLE_OUT_OF_MEMORY:
      return ResourceExhausted(text);
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_NOT_BUILT_IN:
      return Internal(text);
    default:
      return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, text);
  }
}

}  // namespace talon::io
