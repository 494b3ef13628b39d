// SPDX-License-Identifier: Apache-2.0
// A wire whose other end is a function: what is sent is answered on the wire's own thread, as a
// real one does.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "mcp/wire.h"

namespace talon::plugins::mcp {

class FakeWire : public Wire {
 public:
  // Called for each message sent, on the wire's thread.
  using Peer = std::function<void(FakeWire& wire, const Message& message)>;

  explicit FakeWire(Peer peer, bool http = false) : peer_(std::move(peer)), http_(http) {}
  ~FakeWire() override { Stop(); }

  absl::Status Start(WireEvents& events) override {
    events_ = &events;
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }
  absl::Status Send(Outgoing message) override {
    const std::lock_guard lock(mutex_);
    headers.push_back(message.headers);
    const auto parsed = ParseMessages(message.text);
    if (!parsed.ok()) return parsed.status();
    sent.push_back(parsed->front());
    queue_.push_back(parsed->front());
    wake_.notify_all();
    return absl::OkStatus();
  }
  bool Abandon(std::int64_t) override { return false; }
  void SetVersion(const std::string& version, bool) override { version_ = version; }
  void Listen() override {}
  bool is_http() const override { return http_; }
  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  // What the other end says; on the wire's thread.
  void Result(const Json& id, Json result) {
    Deliver({.kind = Message::Kind::kResult, .id = id, .result = std::move(result)});
  }
  void Error(const Json& id, int code, const std::string& text, Json data = nullptr) {
    Deliver({.kind = Message::Kind::kError,
             .id = id,
             .error = {.code = code, .message = text, .data = std::move(data)}});
  }
  void Request(const Json& id, const std::string& method, Json params,
               std::optional<std::int64_t> stream = std::nullopt) {
    Deliver(
        {.kind = Message::Kind::kRequest, .id = id, .method = method, .params = std::move(params)},
        stream);
  }
  void Notification(const std::string& method, Json params) {
    Deliver({.kind = Message::Kind::kNotification, .method = method, .params = std::move(params)});
  }
  void Close(absl::Status why) { events_->OnClosed(std::move(why)); }

  // Everything that was sent so far.
  std::vector<Message> Sent() {
    const std::lock_guard lock(mutex_);
    return sent;
  }
  std::vector<Json> ParamsOf(const std::string& method) {
    std::vector<Json> out;
    for (const Message& message : Sent()) {
      if (message.method == method) out.push_back(message.params);
    }
    return out;
  }

  std::vector<Message> sent;  // guarded by mutex_
  std::vector<std::vector<std::pair<std::string, std::string>>> headers;

 private:
  void Deliver(Message message, std::optional<std::int64_t> stream = std::nullopt) {
    if (!message.params.is_object()) message.params = Json::object();
    events_->OnMessage(std::move(message), stream);
  }
  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      const Message message = queue_.front();
      queue_.pop_front();
      lock.unlock();
      peer_(*this, message);
      lock.lock();
    }
  }

  const Peer peer_;
  const bool http_;
  WireEvents* events_ = nullptr;
  std::string version_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Message> queue_;
  bool stop_ = false;
};

}  // namespace talon::plugins::mcp
