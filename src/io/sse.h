// SPDX-License-Identifier: Apache-2.0
// Server-sent events, as the WHATWG HTML standard §9.2 parses them, incrementally: pieces may split
// lines, CRLF pairs and characters anywhere. Not thread-safe; no I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talon::io {

struct SseEvent {
  std::string event;  // "message" when the stream named none
  std::string data;   // lines joined by '\n'
  std::string id;
  bool operator==(const SseEvent&) const = default;
};

class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes = 8u << 20) : max_event_bytes_(max_event_bytes) {}
  // Appends the events that `piece` completes to `events`. ResourceExhausted when one grows past
  // the limit; the parser is unusable afterwards.
  absl::Status Feed(std::string_view piece, std::vector<SseEvent>& events);

 private:
  void Line(std::string_view line, std::vector<SseEvent>& events);
  std::size_t max_event_bytes_;
  std::string pending_;  // an unfinished line
  SseEvent current_;
  bool has_data_ = false;
  bool first_ = true;          // a byte order mark may follow
  bool skip_newline_ = false;  // the last piece ended in CR
};

// One event in wire form: "event: …\ndata: …\n\n"; "event" is left out when empty.
std::string FormatSse(std::string_view event, std::string_view data);

}  // namespace talon::io
