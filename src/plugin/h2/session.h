// SPDX-License-Identifier: Apache-2.0
// The client's side of one HTTP/2 connection without its socket: bytes in, bytes out, calls in
// flight. nghttp2 does framing, header compression, flow control and the peer's limit on streams.
// Owned by a transport; confined to the loop's thread; not re-entrant: a completion must not call
// back into the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/transport.h"

namespace talon::plugin::h2 {

class Session {
 public:
  using Completion = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  explicit Session(const TransportLimits& limits);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Queues a call; `timeout` is the value of grpc-timeout, empty for none. The completion runs
  // once, out of Receive() or Fail(), unless Cancel() comes first. ResourceExhausted when too many
  // calls are in flight, Unavailable when the session takes no more calls.
  absl::StatusOr<std::int32_t> Submit(std::string_view method, std::string request,
                                      std::string_view timeout, Completion done);
  // Resets a call and forgets its completion.
  void Cancel(std::int32_t stream_id);

  // Takes bytes from the peer and completes what they complete.
  void Receive(std::string_view bytes);
  // Appends bytes for the peer to `out` until it holds `max_bytes` or nothing is left.
  void Produce(std::string& out, std::size_t max_bytes);
  // Completes every call with `error`; the session takes no more.
  void Fail(const absl::Status& error);

  bool ready() const;     // the peer's SETTINGS have come
  bool draining() const;  // the peer announced its end: no new calls
  std::size_t calls() const;
  // Not OK once the connection must be closed: the peer broke the protocol, or it said goodbye and
  // the last call has ended. Meaningful after what Produce() gave has been written.
  absl::Status end() const;

 private:
  struct State;
  friend struct Callbacks;
  std::unique_ptr<State> state_;
};

}  // namespace talon::plugin::h2
