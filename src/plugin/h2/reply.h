// SPDX-License-Identifier: Apache-2.0
// The peer's side of one call, read as it arrives: headers, length-prefixed messages, trailers.
// Everything a peer may do wrong ends here as a Status. Bytes are turned into a message only while
// somebody wants one; what comes before that waits unread and counts against the peer's window. No
// I/O, so it can be fuzzed. Confined to the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::plugin::h2 {

// What of a block of headers matters.
struct HeaderBlock {
  int http_status = 0;
  bool is_grpc = false;
  std::string encoding, grpc_status, grpc_message;
  std::size_t bytes = 0;
};

class Reply {
 public:
  // A message is refused at its length prefix when longer than `max_message_bytes`; a block of
  // headers when longer than `max_header_bytes`.
  Reply(std::size_t max_message_bytes, std::size_t max_header_bytes);

  // What came on the stream, in order. After done() they do nothing.
  void Header(std::string_view name, std::string_view value);
  void HeadersEnd();  // of a block that does not end the stream
  void Data(std::string_view bytes);
  void StreamEnd();  // the peer's last word: after a block of headers, or without trailers
  void Reset(std::uint32_t error_code);  // the stream was closed before its end

  // Nothing more will come.
  bool done() const { return outcome_.has_value(); }
  // Ends a reply from this side; what was not taken is dropped.
  void Fail(absl::Status error);

  // The next message; the inner nullopt after the last one of a good reply, the error of a bad one;
  // the outer nullopt when there is none yet: then one is wanted, until the next call has it.
  std::optional<absl::StatusOr<std::optional<std::string>>> Next();
  // Next() was called in vain and now has an answer.
  bool awaited() const { return wanted_ && (complete_ || done()); }
  // Bytes turned into messages since the last call: what the peer may send anew.
  std::size_t TakeUsedBytes();

 private:
  std::size_t Parse(std::string_view bytes);
  bool ParsePrefix();
  void Finish();
  std::optional<std::string> TakeMessage();

  const std::size_t max_message_bytes_;
  const std::size_t max_header_bytes_;
  std::optional<HeaderBlock> block_;  // headers not yet acted upon
  bool in_body_ = false;
  bool wanted_ = false;
  std::string unread_;  // from `unread_at_` on; at most the peer's window
  std::size_t unread_at_ = 0;
  std::string prefix_;  // up to 5 bytes
  std::string message_;
  std::size_t message_bytes_ = 0;  // announced by the prefix
  bool complete_ = false;          // message_ is
  std::size_t used_bytes_ = 0;
  std::optional<absl::Status> outcome_;
};

}  // namespace talon::plugin::h2
