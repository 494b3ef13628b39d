// SPDX-License-Identifier: Apache-2.0
// One connection: a socket, TLS on it when agreed, and the HTTP/2 session. Shared by the transport,
// its calls and the socket operations under way. Internal to plugin/h2; loop's thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "plugin/h2/session.h"
#include "plugin/h2/tls.h"

namespace talon::plugin::h2 {

// Unavailable/kPluginCrashed: the connection is no more.
absl::Status ConnectionEnded(std::string_view cause);

class Link : public std::enable_shared_from_this<Link> {
 public:
  // Takes `fd`, a connected non-blocking socket; closes it on failure. `tls` null: plain.
  static absl::StatusOr<std::shared_ptr<Link>> Create(io::Loop& loop, int fd,
                                                      std::unique_ptr<Tls> tls,
                                                      const TransportLimits& limits);
  // Use Create.
  Link(io::Loop& loop, int fd, std::unique_ptr<Tls> tls, const TransportLimits& limits);

  // Ends when the peer's SETTINGS have come.
  static io::Task<absl::Status> Ready(std::shared_ptr<Link> self, CallContext context);
  // Writes what the session has to say; waits for the socket only when it is full. To be called
  // after every use of session().
  void Flush();
  void Close(absl::Status reason);
  // Runs once, from the loop, when the connection ends. None: forgets the last one given.
  void OnClosed(absl::AnyInvocable<void()> callback);

  io::Loop& loop() { return loop_; }
  Session& session() { return session_; }
  const Session& session() const { return session_; }
  const absl::Status& end() const { return end_; }  // not OK once closed

 private:
  void Read();
  absl::Status Take(std::string_view bytes);
  absl::Status Fill();
  void Received(const boost::system::error_code& error, std::size_t count);

  static constexpr std::size_t kReadBuffer = 32 << 10;

  io::Loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
  const std::unique_ptr<Tls> tls_;
  Session session_;
  std::array<char, kReadBuffer> input_;
  std::string output_;  // for the socket
  std::string plain_;   // with TLS: on its way through it
  bool waiting_to_write_ = false;
  std::shared_ptr<io::OneShot<absl::Status>> ready_;
  absl::Status end_;
  absl::AnyInvocable<void()> on_closed_;
};

}  // namespace talon::plugin::h2
