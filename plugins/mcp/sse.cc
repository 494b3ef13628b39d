// SPDX-License-Identifier: Apache-2.0
#include "mcp/sse.h"

#include <algorithm>
#include <charconv>

namespace talon::plugins::mcp {
namespace {

constexpr long kMaxRetryMs = 3'600'000;
constexpr std::size_t kMaxIdBytes = 4'096;

}  // namespace

bool SseParser::Push(std::string_view bytes, const std::function<void(SseEvent)>& on_event) {
  for (const char c : bytes) {
    const bool second_half = after_cr_ && c == '\n';
    after_cr_ = c == '\r';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      OnLine(on_event);
      line_.clear();
    } else {
      line_ += c;
      if (line_.size() + event_.data.size() > max_) return false;
    }
  }
  return true;
}

void SseParser::OnLine(const std::function<void(SseEvent)>& on_event) {
  std::string_view line = line_;
  if (first_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_ = false;
  if (line.empty()) {
    if (has_data_) on_event(std::move(event_));
    event_ = {};
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (field == "event") {
    event_.type = value;
  } else if (field == "id") {
    const bool header_safe = std::all_of(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
    });
    if (header_safe && value.size() <= kMaxIdBytes) last_id_ = value;
  } else if (field == "retry") {
    long ms = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
    if (error == std::errc() && end == value.data() + value.size() && ms >= 0) {
      retry_ms_ = std::min(ms, kMaxRetryMs);
    }
  }
}

}  // namespace talon::plugins::mcp
