// SPDX-License-Identifier: Apache-2.0
// An HttpClient without a network: answers requests with scripted replies, piece by piece, and
// keeps what was asked. Loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/http_client.h"
#include "io/one_shot.h"

namespace talon::fakes {

struct FakeReply {
  int status = 200;
  io::Headers headers;
  std::vector<std::string> pieces;  // of the body; none of them empty
  absl::Status open_error;          // instead of an answer
  absl::Status cut;                 // after the pieces, instead of the body's end
  bool hang_open = false;           // no answer until cancelled
  bool hang_body = false;           // no end after the pieces until cancelled
};

inline FakeReply Whole(int status, std::string body, io::Headers headers = {}) {
  FakeReply reply{.status = status, .headers = std::move(headers)};
  if (!reply.headers.Has("content-type")) reply.headers.Set("content-type", "application/json");
  if (!body.empty()) reply.pieces.push_back(std::move(body));
  return reply;
}

inline FakeReply EventStream(std::vector<std::string> pieces) {
  return {.headers = {{"content-type", "text/event-stream"}}, .pieces = std::move(pieces)};
}

class FakeHttpClient : public io::HttpClient {
 public:
  // Replies are used up in order; a request beyond the last one fails with Unavailable.
  void Push(FakeReply reply) { replies_.push_back(std::move(reply)); }
  std::vector<io::HttpRequest> requests;
  std::vector<SteadyTime> deadlines;  // one a request
  // Pieces that were read, and streams that were destroyed before their end was.
  int pieces_read = 0;
  int streams_dropped = 0;

  io::Task<absl::StatusOr<std::unique_ptr<io::HttpStream>>> Open(io::HttpRequest request,
                                                                 CallContext context) override {
    requests.push_back(std::move(request));
    deadlines.push_back(context.deadline);
    if (context.cancel.cancelled()) co_return context.cancel.status();
    if (replies_.empty()) co_return Unavailable("fake http client: no reply left");
    FakeReply reply = std::move(replies_.front());
    replies_.pop_front();
    if (reply.hang_open) co_return co_await UntilCancelled(context.cancel);
    if (!reply.open_error.ok()) co_return reply.open_error;
    co_return std::make_unique<Stream>(*this, std::move(reply), std::move(context));
  }

 private:
  static io::Task<absl::Status> UntilCancelled(CancelToken token) {
    io::OneShot<absl::Status> done;
    CancelRegistration registration = token.OnCancel([&] { done.Set(token.status()); });
    co_return co_await done.Wait();
  }

  class Stream : public io::HttpStream {
   public:
    Stream(FakeHttpClient& owner, FakeReply reply, CallContext context)
        : owner_(owner), reply_(std::move(reply)), context_(std::move(context)) {}
    ~Stream() override { owner_.streams_dropped += ended_ ? 0 : 1; }
    int status() const override { return reply_.status; }
    const io::Headers& headers() const override { return reply_.headers; }
    io::Task<absl::StatusOr<std::string>> Read() override {
      if (context_.cancel.cancelled()) co_return context_.cancel.status();
      if (next_ < reply_.pieces.size()) {
        ++owner_.pieces_read;
        co_return reply_.pieces[next_++];
      }
      if (reply_.hang_body) co_return co_await UntilCancelled(context_.cancel);
      ended_ = true;
      if (!reply_.cut.ok()) co_return reply_.cut;
      co_return std::string();
    }

   private:
    FakeHttpClient& owner_;
    FakeReply reply_;
    CallContext context_;
    std::size_t next_ = 0;
    bool ended_ = false;
  };

  std::deque<FakeReply> replies_;
};

}  // namespace talon::fakes
