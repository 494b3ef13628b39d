// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of bytes as they come: any of the three line ends, comments, BOM, fields
// split anywhere. Bounded. Not thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace talon::plugins::mcp {

struct SseEvent {
  std::string type;  // empty = "message"
  std::string data;
};

class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes) : max_(max_event_bytes) {}

  // False when an event is larger than allowed; nothing may follow then.
  bool Push(std::string_view bytes, const std::function<void(SseEvent)>& on_event);

  const std::string& last_event_id() const { return last_id_; }
  std::optional<long> retry_ms() const { return retry_ms_; }

 private:
  void OnLine(const std::function<void(SseEvent)>& on_event);

  const std::size_t max_;
  std::string line_;
  bool after_cr_ = false;
  bool first_ = true;
  bool has_data_ = false;
  SseEvent event_;
  std::string last_id_;
  std::optional<long> retry_ms_;
};

}  // namespace talon::plugins::mcp
