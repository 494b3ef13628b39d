// SPDX-License-Identifier: Apache-2.0
// One JSON-RPC session over a wire: answers find their requests, progress and questions of the
// server find the call they belong to, everything else is answered or logged. Nothing a server
// sends can do more than end its own session.
//
// Threads: Request blocks its caller's thread, any number at once; the wire's thread delivers.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "mcp/caller.h"
#include "mcp/wire.h"

namespace talon::plugins::mcp {

struct RequestOptions {
  std::chrono::milliseconds timeout{60'000};  // without an answer, progress or question
  Caller* caller = nullptr;                   // null: nobody waits but the plugin itself
  bool progress = false;                      // ask the server for progress
  bool cancellable = true;                    // not for `initialize`
  std::vector<std::pair<std::string, std::string>> headers;
};

// What came of a request. `status` is OK when `result` is there.
struct Reply {
  absl::Status status;
  Json result;
  std::optional<RpcError> error;  // the server answered, with an error
  WireFailure failure;            // nothing was answered
};

class Session : public WireEvents {
 public:
  struct Hooks {
    std::string server;  // its name, for log lines
    Json roots;          // answers `roots/list`; null = not offered
    // On the wire's thread; must not block.
    std::function<void(const std::string& method, const Json& params)> on_notification;
    std::function<void(absl::Status why)> on_closed;
  };

  Session(std::unique_ptr<Wire> wire, Hooks hooks);
  ~Session() override;  // stops

  absl::Status Start() { return wire_->Start(*this); }
  // Requests under way fail. Idempotent.
  void Stop();

  Reply Request(const std::string& method, const Json& params, const RequestOptions& options);
  // A request whose answer is the end of a stream; `on_end` on the wire's thread.
  absl::Status Subscribe(const std::string& method, const Json& params,
                         std::vector<std::pair<std::string, std::string>> headers,
                         std::function<void(Reply)> on_end);
  absl::Status Notify(const std::string& method, const Json& params);

  Wire& wire() { return *wire_; }
  // Why it is over; OK while it is not.
  absl::Status closed() {
    const std::lock_guard lock(mutex_);
    return closed_.value_or(absl::OkStatus());
  }
  // Form and URL questions, roots and (refused) sampling: the answer to a server's request, as
  // result or error. Also used for the questions inside a result (2026-07-28).
  struct InputAnswer {
    Json result;
    std::optional<RpcError> error;
  };
  InputAnswer AnswerInput(const std::string& method, const Json& params, Caller* caller) const;

 private:
  struct Pending;

  void OnMessage(Message message, std::optional<std::int64_t> stream) override;
  void OnFailure(std::int64_t request_id, WireFailure failure) override;
  void OnClosed(absl::Status why) override;

  void OnRequest(Message message, std::optional<std::int64_t> stream);
  void OnNotification(const Message& message);
  void OnAnswer(Message message);
  std::shared_ptr<Pending> Find(const Json& id);
  // The call a server's question belongs to; null when that is not certain.
  std::shared_ptr<Pending> Asked(std::optional<std::int64_t> stream);
  Reply Await(Pending& pending, const RequestOptions& options);
  void Finish(std::int64_t id, Reply reply);
  void GiveUp(std::int64_t id, const std::string& reason);
  void Respond(const Json& id, const InputAnswer& answer);
  void FailAll(const absl::Status& why);

  const Hooks hooks_;
  const std::unique_ptr<Wire> wire_;

  std::mutex mutex_;  // guards what follows
  std::int64_t last_id_ = 0;
  std::map<std::int64_t, std::shared_ptr<Pending>> pending_;  // shared with the waiting thread
  std::optional<absl::Status> closed_;
};

}  // namespace talon::plugins::mcp
