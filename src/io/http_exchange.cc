// SPDX-License-Identifier: Apache-2.0
#include "io/http_exchange.h"

#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "io/http_connection.h"

namespace talon::io {

std::string Exchange::Head(const ServerResponse& response, Framing framing) {
  const int status = response.status >= 200 && response.status <= 599 ? response.status : 500;
  framing_ = status == 204 || status == 304 ? Framing::kNone : framing;
  const bool closes = EqualsIgnoreCase(response.headers.Get("connection"), "close");
  facts_.keep_alive = facts_.keep_alive && !closes && !connection_.host().draining &&
                      framing_ != Framing::kUntilClose;
  std::string out;
  out.reserve(256 + response.body.size());
  AppendHead(out,
             {.status = status,
              .framing = framing_,
              .content_length = response.body.size(),
              .keep_alive = facts_.keep_alive,
              .date = connection_.host().Date()},
             response.headers);
  return out;
}

Task<absl::Status> Exchange::Deliver(std::string data) {
  if (connection_.sending()) co_return FailedPrecondition("send: another write is under way");
  const std::size_t sent = connection_.TrySend(data);
  if (sent == data.size()) co_return absl::OkStatus();
  data.erase(0, sent);
  co_return co_await connection_.SendAll(std::move(data));
}

Task<absl::Status> Exchange::Send(ServerResponse response) {
  if (started()) co_return FailedPrecondition("send answer: one was started before");
  std::string data = Head(response, Framing::kLength);
  state_ = State::kComplete;
  if (!facts_.head_only && framing_ != Framing::kNone) data += response.body;
  co_return co_await Deliver(std::move(data));
}

Task<absl::Status> Exchange::StartStream(ServerResponse response) {
  if (started()) co_return FailedPrecondition("start stream: an answer was started before");
  if (!response.body.empty()) co_return InvalidArgument("start stream: the body must be empty");
  if (!connection_.gone().ok()) co_return connection_.gone();
  held_ = Head(response, facts_.http10 ? Framing::kUntilClose : Framing::kChunked);
  state_ = State::kStreaming;
  connection_.FlushHeadSoon();
  co_return absl::OkStatus();
}

Task<absl::Status> Exchange::Write(std::string data) {
  if (state_ != State::kStreaming) co_return FailedPrecondition("write: no stream was started");
  if (!connection_.gone().ok()) co_return connection_.gone();
  std::string out = std::exchange(held_, {});
  if (!facts_.head_only && framing_ != Framing::kNone && !data.empty()) {
    if (framing_ == Framing::kChunked) {
      AppendChunk(out, data);
    } else {
      out += data;
    }
  }
  if (out.empty()) co_return absl::OkStatus();
  co_return co_await Deliver(std::move(out));
}

Task<absl::Status> Exchange::Finish() {
  if (state_ != State::kStreaming) co_return FailedPrecondition("finish: no stream was started");
  state_ = State::kComplete;
  std::string out = std::exchange(held_, {});
  if (framing_ == Framing::kChunked && !facts_.head_only) out += "0\r\n\r\n";
  if (out.empty()) co_return absl::OkStatus();
  co_return co_await Deliver(std::move(out));
}

void Exchange::FlushHead() {
  if (!held_.empty()) held_.erase(0, connection_.TrySend(held_));
}

}  // namespace talon::io
