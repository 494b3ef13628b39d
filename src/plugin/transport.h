// SPDX-License-Identifier: Apache-2.0
// The wire to one plugin process: gRPC calls with serialised messages. Implemented by nghttp2 on
// the event loop (plugin/h2/). Loop's thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"
#include "plugin/tls_identity.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

inline constexpr char kCallerKeyHeader[] = "talon-caller-key";

struct TransportLimits {
  // Larger answers are refused at their length prefix, larger requests before they are sent.
  std::size_t max_message_bytes = 4u << 20;
  std::size_t max_header_bytes = 16u << 10;  // of one answer's headers or trailers
  // In flight at once; more are ResourceExhausted. Beyond the peer's own limit they wait here.
  std::size_t max_calls = 1024;
};

// One open call with any number of messages each way. Both sides are slowed to what the other
// reads. Destruction resets a call that has not ended.
class PluginStream {
 public:
  virtual ~PluginStream() = default;
  // Ends when the message is handed to the connection; waits while the peer's window is full. One
  // at a time. FailedPrecondition once the peer has ended the call: Read() tells how.
  virtual io::Task<absl::Status> Write(std::string message) = 0;
  // Half-closes, behind what is being written; idempotent.
  virtual void CloseWrites() = 0;
  // The next message; nullopt at the peer's OK end; the call's error otherwise. One at a time.
  virtual io::Task<absl::StatusOr<std::optional<std::string>>> Read() = 0;
};

class PluginTransport {
 public:
  virtual ~PluginTransport() = default;
  // `method`: "/talon.v1.Plugin/Execute". The context's deadline is sent as grpc-timeout and kept;
  // cancellation resets the stream. gRPC status codes map one to one to absl's; a connection that
  // ends is Unavailable/kPluginCrashed, a peer that breaks the protocol kPluginMisbehaved.
  virtual io::Task<absl::StatusOr<std::string>> Call(std::string_view method, std::string request,
                                                     CallContext context) = 0;
  // Opens a call; errors of the peer come from Read(). Deadline and cancellation of `context` end
  // it for both sides.
  virtual absl::StatusOr<std::unique_ptr<PluginStream>> Open(std::string_view method,
                                                             CallContext context) = 0;
  // False once the connection has ended or the peer announced its end; calls then fail at once.
  virtual bool alive() const = 0;
  virtual std::size_t calls_in_flight() const = 0;
  // Runs once when the connection ends, from the loop; at once when it has ended. Not by
  // destruction, which ends the connection and every call in flight.
  virtual void OnClosed(absl::AnyInvocable<void()> callback) = 0;
};

// Where a plugin listens and what is agreed about the way there.
struct Endpoint {
  enum class Network { kUnix, kTcp };
  Network network = Network::kUnix;
  std::string address;          // path of a socket; "127.0.0.1:1234" or "[::1]:1234"
  std::optional<TlsTerms> tls;  // both ends show a certificate; none: plain
  pid_t peer_pid = 0;           // the process that must listen on a Unix socket; 0 = any
  std::string caller_key;       // sent with every call; empty: none
};

// Connects and completes the HTTP/2 preface. PermissionDenied when somebody else listens there.
io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> Connect(io::Loop& loop,
                                                                   Endpoint endpoint,
                                                                   TransportLimits limits,
                                                                   CallContext context);
// The same for a plain Unix socket.
io::Task<absl::StatusOr<std::unique_ptr<PluginTransport>>> ConnectUnix(io::Loop& loop,
                                                                       std::string socket_path,
                                                                       TransportLimits limits,
                                                                       CallContext context,
                                                                       pid_t peer_pid = 0);

}  // namespace talon::plugin
