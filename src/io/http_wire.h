// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 text of answers, and what a request target means. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "io/http_types.h"

namespace talon::io {

// Why a request is refused before a handler sees it.
struct HttpProblem {
  int status = 400;
  std::string_view code;  // for programs: "body_too_large"; a literal
  std::string message;    // for people
  int retry_after = 0;    // seconds; 0 = not told
};

enum class Framing : std::uint8_t {
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding: chunked
  kUntilClose,  // the end of the connection ends the body (HTTP/1.0)
  kNone,        // the status allows no body (204, 304)
};

struct ResponseHead {
  int status = 200;
  Framing framing = Framing::kLength;
  std::size_t content_length = 0;  // bytes, with kLength
  bool keep_alive = true;
  std::string_view date;
};

// "Not Found"; "Unknown" for a number without a name.
std::string_view ReasonPhrase(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string FormatHttpDate(std::time_t time);

// Status line, `headers`, and Content-Length or Transfer-Encoding, Date, Connection, which
// `headers` cannot set. Control characters in names and values become spaces: no header can be
// smuggled in.
void AppendHead(std::string& out, const ResponseHead& head, const Headers& headers);

// One chunk of a chunked body. `data` must not be empty.
void AppendChunk(std::string& out, std::string_view data);

// A whole answer with {"error":{"message","type","code"}} that closes the connection.
std::string FormatProblem(const HttpProblem& problem, std::string_view date);

struct Target {
  std::string path;  // percent-decoded
  std::string query;
};
// Reads origin form, absolute form and "*". False when `target` is none of them.
bool ParseTarget(std::string_view target, Target& out);

}  // namespace talon::io
