// SPDX-License-Identifier: Apache-2.0
// One unary answer, read as it arrives: headers, one length-prefixed message, trailers. Everything
// a peer may do wrong ends here as a Status; nothing is buffered beyond the limits. No I/O, so it
// can be fuzzed. Confined to the loop's thread.
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

  bool done() const { return outcome_.has_value(); }
  // Ends a reply from this side.
  void Fail(absl::Status error);
  // done() must hold; once.
  absl::StatusOr<std::string> Take();

 private:
  void Finish();

  const std::size_t max_message_bytes_;
  const std::size_t max_header_bytes_;
  std::optional<HeaderBlock> block_;  // headers not yet acted upon
  bool in_body_ = false;
  std::string prefix_;  // up to 5 bytes
  std::string message_;
  std::size_t message_bytes_ = 0;  // announced by the prefix
  std::optional<absl::StatusOr<std::string>> outcome_;
};

}  // namespace talon::plugin::h2
