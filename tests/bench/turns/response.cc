// SPDX-License-Identifier: Apache-2.0
#include "response.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace talon::bench {
namespace {

// The value of a header, found by name without case; `head` holds the lines.
std::string_view Header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }
  return {};
}

// Whether some "content" member holds text.
bool HasContent(std::string_view body) {
  constexpr std::string_view kKey = "\"content\":";
  for (std::size_t at = body.find(kKey); at != std::string_view::npos;
       at = body.find(kKey, at + 1)) {
    std::string_view value = body.substr(at + kKey.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (value.size() > 1 && value[0] == '"' && value[1] != '"') return true;
  }
  return false;
}

}  // namespace

void Response::Reset() {
  state_ = State::kHead;
  pending_.clear();
  body_.clear();
  left_ = 0;
  status_ = 0;
  keep_alive_ = true;
}

bool Response::ReadHead() {
  const std::size_t end = pending_.find("\r\n\r\n");
  if (end == std::string::npos) return true;
  const std::string_view head = std::string_view(pending_).substr(0, end);
  if (!head.starts_with("HTTP/1.") || head.size() < 12) return false;
  std::from_chars(head.data() + 9, head.data() + 12, status_);
  keep_alive_ = !Header(head, "connection").starts_with("close") && head[7] == '1';
  const std::string_view length = Header(head, "content-length");
  if (Header(head, "transfer-encoding").starts_with("chunked")) {
    state_ = State::kChunkSize;
  } else if (!length.empty()) {
    std::from_chars(length.data(), length.data() + length.size(), left_);
    state_ = left_ > 0 ? State::kLength : State::kDone;
  } else {
    state_ = State::kUntilEnd;
  }
  pending_.erase(0, end + 4);
  return true;
}

bool Response::ReadChunkSize() {
  const std::size_t end = pending_.find("\r\n");
  if (end == std::string::npos) return true;
  const auto parsed = std::from_chars(pending_.data(), pending_.data() + end, left_, 16);
  if (parsed.ec != std::errc()) return false;
  if (left_ == 0) {  // without trailers, an empty line ends it
    if (pending_.size() >= end + 4) {
      pending_.erase(0, end + 4);
      state_ = State::kDone;
    }
    return true;
  }
  pending_.erase(0, end + 2);
  state_ = State::kChunk;
  return true;
}

bool Response::Feed(std::string_view data) {
  pending_.append(data);
  while (true) {
    const State before = state_;
    const std::size_t size = pending_.size();
    if (state_ == State::kHead && !ReadHead()) return false;
    if (state_ == State::kChunkSize && !ReadChunkSize()) return false;
    if (state_ == State::kLength || state_ == State::kUntilEnd) {
      const std::size_t take =
          state_ == State::kUntilEnd ? pending_.size() : std::min(left_, pending_.size());
      body_.append(pending_, 0, take);
      pending_.erase(0, take);
      if (state_ == State::kLength && (left_ -= take) == 0) state_ = State::kDone;
    }
    if (state_ == State::kChunk && pending_.size() >= left_ + 2) {
      body_.append(pending_, 0, left_);
      pending_.erase(0, left_ + 2);
      state_ = State::kChunkSize;
    }
    if (state_ == State::kDone) return pending_.empty();
    if (state_ == before && pending_.size() == size) return true;
  }
}

void Response::End() {
  if (state_ == State::kUntilEnd) state_ = State::kDone;
}

std::string_view FaultOf(const Response& response, bool streamed, std::string_view expected) {
  if (response.status() != 200) return "status is not 200";
  if (!HasContent(response.body())) return "no content";
  if (streamed && response.body().find("[DONE]") == std::string::npos) return "stream has no end";
  if (!expected.empty() && response.body().find(expected) == std::string::npos) {
    return "expected text is missing";
  }
  return {};
}

}  // namespace talon::bench
