// SPDX-License-Identifier: Apache-2.0
#include "io/sse.h"

#include <fmt/core.h>

#include <utility>

#include "base/status.h"

namespace talon::io {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Length of the line that starts `text`, or npos when its end is not there yet.
std::size_t LineLength(std::string_view text) {
  const std::size_t newline = text.find('\n');
  const std::size_t carriage_return = text.substr(0, newline).find('\r');
  return carriage_return != std::string_view::npos ? carriage_return : newline;
}

}  // namespace

absl::Status SseParser::Feed(std::string_view piece, std::vector<SseEvent>& events) {
  while (!piece.empty()) {
    if (std::exchange(skip_newline_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    const std::size_t length = LineLength(piece);
    const std::string_view part = piece.substr(0, length);
    if (pending_.size() + part.size() + current_.data.size() > max_event_bytes_) {
      return ResourceExhausted(
          fmt::format("event stream: an event is larger than {} bytes", max_event_bytes_));
    }
    if (length == std::string_view::npos) {
      pending_ += part;
      break;
    }
    skip_newline_ = piece[length] == '\r';
    piece.remove_prefix(length + 1);
    if (pending_.empty()) {
      Line(part, events);
    } else {
      pending_ += part;
      Line(std::exchange(pending_, {}), events);
    }
  }
  return absl::OkStatus();
}

void SseParser::Line(std::string_view line, std::vector<SseEvent>& events) {
  if (std::exchange(first_, false) && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  if (line.empty()) {
    if (has_data_) {
      if (current_.event.empty()) current_.event = "message";
      // The id outlives its event: it is the id of every later one that names none.
      events.push_back({std::move(current_.event), std::move(current_.data), current_.id});
    }
    current_.event.clear();
    current_.data.clear();
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (std::exchange(has_data_, true)) current_.data += '\n';
    current_.data += value;
  } else if (name == "event") {
    current_.event = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    current_.id = value;
  }
}

std::string FormatSse(std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(event.size() + data.size() + 16);
  if (!event.empty()) {
    out += "event: ";
    out += event.substr(0, LineLength(event));  // a line break would start another field
    out += '\n';
  }
  while (true) {
    const std::size_t length = LineLength(data);
    out += "data: ";
    out += data.substr(0, length);
    out += '\n';
    if (length == std::string_view::npos) break;
    data.remove_prefix(length + (data.substr(length).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
  return out;
}

}  // namespace talon::io
