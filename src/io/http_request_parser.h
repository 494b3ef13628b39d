// SPDX-License-Identifier: Apache-2.0
// Reads one HTTP/1.x request from pieces of bytes. Refuses what is malformed, ambiguous about where
// it ends, or past a limit. No I/O, not thread-safe; never throws. The one user of Boost.Beast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "io/http_server.h"
#include "io/http_wire.h"

namespace talon::io {

class RequestParser {
 public:
  struct Limits {
    std::uint64_t header_bytes;
    std::uint64_t body_bytes;
  };
  enum class State { kHeader, kBody, kDone, kFailed };

  static std::unique_ptr<RequestParser> Create(Limits limits);
  virtual ~RequestParser() = default;

  // Takes what it can of `data` (not empty) and says how many bytes that was. The rest must be
  // offered again with more behind it; after kDone it belongs to the next request.
  virtual std::size_t Feed(std::string_view data) = 0;
  virtual State state() const = 0;
  virtual const HttpProblem& problem() const = 0;  // with kFailed

  // From kBody on.
  virtual bool expects_continue() const = 0;
  virtual bool keep_alive() const = 0;
  virtual bool http10() const = 0;
  virtual const ServerRequest& head() const = 0;
  // Once, with kDone, or with kBody for the request without its body. `peer` and `client_gone` are
  // left to the caller.
  virtual ServerRequest Take() = 0;
};

}  // namespace talon::io
