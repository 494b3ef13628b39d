// SPDX-License-Identifier: Apache-2.0
#include "delivery.h"

#include <algorithm>
#include <chrono>

namespace talon::mockllm {
namespace {

// Cuts behind the first byte of every character of several.
std::vector<std::string> SplitCharacters(const std::string& text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    parts.back() += text[i];
    if (byte >= 0xC0) parts.emplace_back();
  }
  return parts;
}

std::vector<std::string> SplitBytes(const std::string& text, std::size_t bytes) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size(); at += bytes) parts.push_back(text.substr(at, bytes));
  return parts;
}

bool InPieces(const Delivery& how) {
  return how.chunk_bytes > 0 || how.split_utf8 || how.cut_after != kNever ||
         how.hang_after != kNever || how.malformed_after != kNever;
}

class Sender {
 public:
  Sender(io::Loop& loop, io::ResponseWriter& writer, CancelToken gone)
      : loop_(loop), writer_(writer) {
    context_.cancel = std::move(gone);
  }

  io::Task<bool> Wait(int ms) {
    if (ms <= 0) co_return true;
    const SteadyTime until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    co_return (co_await loop_.SleepUntil(until, context_)).ok();
  }
  io::Task<void> WaitForEver() {
    (co_await loop_.SleepUntil(SteadyTime::max(), context_)).IgnoreError();
  }

  io::Task<bool> Write(std::string piece, Delivery how) {
    std::vector<std::string> parts;
    if (how.chunk_bytes > 0) {
      parts = SplitBytes(piece, static_cast<std::size_t>(how.chunk_bytes));
    } else if (how.split_utf8) {
      parts = SplitCharacters(piece);
    } else {
      parts.push_back(std::move(piece));
    }
    for (std::string& part : parts) {
      if (part.empty()) continue;
      if (!(co_await writer_.Write(std::move(part))).ok()) co_return false;
    }
    co_return true;
  }

 private:
  io::Loop& loop_;
  io::ResponseWriter& writer_;
  CallContext context_;
};

}  // namespace

io::Task<void> Deliver(io::Loop& loop, io::ResponseWriter& writer, Reply reply,
                       CancelToken client_gone) {
  Delivery how = reply.delivery;
  Sender sender(loop, writer, std::move(client_gone));
  if (!co_await sender.Wait(how.delay_ms)) co_return;
  if (how.hang) {
    co_await sender.WaitForEver();
    co_return;
  }
  io::ServerResponse head;
  head.status = reply.status;
  head.headers = std::move(reply.headers);
  if (!reply.streamed && !InPieces(how)) {
    if (!reply.pieces.empty()) head.body = std::move(reply.pieces.front());
    (co_await writer.Send(std::move(head))).IgnoreError();
    co_return;
  }
  // What is not streamed breaks in its middle.
  if (!reply.streamed && reply.pieces.size() == 1) {
    const std::string& body = reply.pieces.front();
    reply.pieces = {body.substr(0, body.size() / 2), body.substr(body.size() / 2)};
    for (int* after : {&how.cut_after, &how.hang_after, &how.malformed_after}) {
      *after = std::min(*after, 1);
    }
  }
  if (!(co_await writer.StartStream(std::move(head))).ok()) co_return;
  int count = 0;
  for (std::string& piece : reply.pieces) {
    if (count == how.cut_after) co_return;
    if (count == how.hang_after) {
      co_await sender.WaitForEver();
      co_return;
    }
    if (count == how.malformed_after) piece = "data: {\"choices\":[{\"delta\": oops\n\n";
    if (count > 0 && !co_await sender.Wait(how.event_delay_ms)) co_return;
    if (!co_await sender.Write(std::move(piece), how)) co_return;
    ++count;
  }
  if (count == how.cut_after) co_return;
  (co_await writer.Finish()).IgnoreError();
}

}  // namespace talon::mockllm
