// SPDX-License-Identifier: Apache-2.0
// The client's side of one HTTP/2 connection without its socket: bytes in, bytes out, calls in
// flight. nghttp2 does framing, header compression, flow control and the peer's limit on streams.
// Owned by a transport; confined to the loop's thread; not re-entrant: `changed` must not call
// back into the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/transport.h"

namespace talon::plugin::h2 {

class Session {
 public:
  explicit Session(const TransportLimits& limits);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Every call from now on carries the key; empty: none.
  void Identify(std::string caller_key);
  // Opens a call; `timeout` is the value of grpc-timeout, empty for none. `changed` runs, out of
  // Receive(), Produce() or Fail(), when Next() or writing() that made its owner wait may answer
  // otherwise. ResourceExhausted when too many calls are open, Unavailable when the session takes
  // no more.
  absl::StatusOr<std::int32_t> Open(std::string_view method, std::string_view timeout,
                                    absl::AnyInvocable<void()> changed);
  // Queues a message behind nothing: writing() must be false. ResourceExhausted when it is too
  // long, FailedPrecondition when the call has ended or its writes are closed.
  absl::Status Write(std::int32_t id, std::string message);
  // No more messages from us. Idempotent.
  void CloseWrites(std::int32_t id);
  // The message has not left yet, and the call goes on.
  bool writing(std::int32_t id) const;
  // See Reply::Next.
  std::optional<absl::StatusOr<std::optional<std::string>>> Next(std::int32_t id);
  // Forgets the call; resets it when it has not ended. Every opened call needs it, once.
  void Close(std::int32_t id);

  // Takes bytes from the peer.
  void Receive(std::string_view bytes);
  // Appends bytes for the peer to `out` until it holds `max_bytes` or nothing is left.
  void Produce(std::string& out, std::size_t max_bytes);
  // Ends every call with `error`; the session takes no more.
  void Fail(const absl::Status& error);

  bool ready() const;         // the peer's SETTINGS have come
  bool draining() const;      // the peer announced its end: no new calls
  std::size_t calls() const;  // that have not ended
  // Not OK once the connection must be closed: the peer broke the protocol, or it said goodbye and
  // the last call has ended. Meaningful after what Produce() gave has been written.
  absl::Status end() const;

 private:
  struct State;
  friend struct Callbacks;
  std::unique_ptr<State> state_;
};

}  // namespace talon::plugin::h2
