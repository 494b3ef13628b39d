// SPDX-License-Identifier: Apache-2.0
// Reads one HTTP/1.1 response from pieces, as little as a load generator needs: status, body by
// length or chunks, whether the connection may be used again. No I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace talon::bench {

class Response {
 public:
  // Takes bytes; false when they are no HTTP response. Nothing may follow a complete one.
  bool Feed(std::string_view data);
  // The connection ended: completes a body that has neither length nor chunks.
  void End();
  void Reset();

  bool complete() const { return state_ == State::kDone; }
  bool keep_alive() const { return keep_alive_; }
  int status() const { return status_; }
  const std::string& body() const { return body_; }

 private:
  enum class State { kHead, kLength, kChunkSize, kChunk, kUntilEnd, kDone };
  bool ReadHead();
  bool ReadChunkSize();

  State state_ = State::kHead;
  std::string pending_, body_;
  std::size_t left_ = 0;
  int status_ = 0;
  bool keep_alive_ = true;
};

// Why `response` is no good answer to a chat completion; empty when it is one: status 200 and
// some content, and, when streamed, its end.
std::string_view FaultOf(const Response& response, bool streamed, std::string_view expected);

}  // namespace talon::bench
