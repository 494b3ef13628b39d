// SPDX-License-Identifier: Apache-2.0
// How messages get to a server and back, without knowing what they say: a child process's pipes or
// streamable HTTP. A wire has one thread of its own, on which it tells what happens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "mcp/json_rpc.h"

namespace talon::plugins::mcp {

struct WireLimits {
  std::size_t max_message_bytes = 8u << 20;  // larger ones break the connection or the request
  std::size_t max_queued_bytes = 16u << 20;  // to be sent
  int max_garbage = 100;                     // lines in a row that are no message
};

struct Outgoing {
  std::string text;
  std::optional<std::int64_t> request_id;  // of a request of ours
  // HTTP headers of this message alone. Values are fit for a header.
  std::vector<std::pair<std::string, std::string>> headers;
};

// A request that got no answer, and why.
struct WireFailure {
  absl::Status status;
  int http_status = 0;        // when the server answered at all
  bool session_lost = false;  // the server has forgotten the session; nothing was done
  std::string challenge;      // WWW-Authenticate
};

class WireEvents {
 public:
  virtual ~WireEvents() = default;
  // `stream`: the request of ours whose own stream the message came in, when it has one.
  virtual void OnMessage(Message message, std::optional<std::int64_t> stream) = 0;
  virtual void OnFailure(std::int64_t request_id, WireFailure failure) = 0;
  // The connection is over. At most once; nothing follows.
  virtual void OnClosed(absl::Status why) = 0;
};

class Wire {
 public:
  virtual ~Wire() = default;  // stops
  virtual absl::Status Start(WireEvents& events) = 0;
  // Never blocks. ResourceExhausted when too much waits to be sent.
  virtual absl::Status Send(Outgoing message) = 0;
  // Nobody waits for the answer any more; true when that alone tells the server (a closed stream).
  virtual bool Abandon(std::int64_t request_id) = 0;
  // What was agreed on: goes into the headers of what follows. `stateless`: no sessions, no
  // resumption.
  virtual void SetVersion(const std::string& version, bool stateless) = 0;
  // Opens the server's own stream, where there is such a thing.
  virtual void Listen() = 0;
  virtual bool is_http() const = 0;
  // Says good-bye and ends. No event comes after it has returned. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace talon::plugins::mcp
