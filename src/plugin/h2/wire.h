// SPDX-License-Identifier: Apache-2.0
// The small encodings of gRPC over HTTP/2: timeouts, status texts and the mapping of foreign error
// numbers. Pure functions, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace talon::plugin::h2 {

// Value of `grpc-timeout`: at most eight digits and a unit, rounded up. `remaining` > 0.
std::string EncodeTimeout(std::chrono::nanoseconds remaining);

// A percent-encoded `grpc-message` as one line of valid UTF-8, at most 1 KB.
std::string DecodeMessage(std::string_view encoded);

// Text of a peer fit for our own messages: one line, printable, valid UTF-8, at most `max_bytes`.
std::string CleanText(std::string_view text, std::size_t max_bytes);

// The status of an answer that carries no grpc-status, by gRPC's table.
absl::StatusCode CodeOfHttpStatus(int http_status);
// The status of a stream that the peer reset with this HTTP/2 error code, by gRPC's table.
absl::StatusCode CodeOfStreamError(std::uint32_t error_code);

// Internal/kPluginMisbehaved: the peer broke the protocol.
absl::Status Misbehaved(std::string_view what);

}  // namespace talon::plugin::h2
