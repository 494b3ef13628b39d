// SPDX-License-Identifier: Apache-2.0
// A model that says what the test wrote down, in order.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/one_shot.h"
#include "model/chat_model.h"

namespace talon::agent {

// Counts something and lets coroutines wait for a count.
class Counter {
 public:
  void Add() {
    ++count_;
    for (auto& [from, waiter] : waiters_) {
      if (count_ >= from) waiter->Set(true);
    }
  }
  int count() const { return count_; }
  io::Task<bool> Reached(int count) {
    if (count_ >= count) co_return true;
    auto waiter = std::make_shared<io::OneShot<bool>>();
    waiters_.emplace_back(count, waiter);
    co_return co_await waiter->Wait();
  }

 private:
  int count_ = 0;
  std::vector<std::pair<int, std::shared_ptr<io::OneShot<bool>>>> waiters_;
};

// Ends when the context is cancelled, or `open` is set; the status tells which.
inline io::Task<absl::Status> Held(CallContext context, std::shared_ptr<io::OneShot<bool>> open) {
  auto registration = context.cancel.OnCancel([open] { open->Set(false); });
  if (co_await open->Wait()) co_return absl::OkStatus();
  co_return context.cancel.status();
}

using Answer = absl::StatusOr<model::ChatResponse>;

inline model::ToolCall Call(std::string name, std::string arguments, std::string id = "") {
  return {.id = std::move(id),
          .name = std::move(name),
          .arguments = std::move(arguments),
          .signature = ""};
}

inline model::ChatResponse Says(std::string text, std::vector<model::ToolCall> calls = {}) {
  model::ChatResponse response;
  response.message.role = model::Role::kAssistant;
  if (!text.empty()) response.message.parts.emplace_back(model::TextPart{std::move(text)});
  static int number = 0;
  for (model::ToolCall& call : calls) {
    if (call.id.empty()) call.id = "c" + std::to_string(++number);
    response.message.parts.emplace_back(std::move(call));
  }
  response.finish_reason =
      calls.empty() ? model::FinishReason::kStop : model::FinishReason::kToolCalls;
  response.usage = {.input_tokens = 10, .output_tokens = 2};
  return response;
}

class FakeChatModel : public model::ChatModel {
 public:
  using Reply = std::function<io::Task<Answer>(model::ChatRequest, CallContext, model::DeltaSink*)>;

  void Push(Reply reply) { script_.push_back(std::move(reply)); }
  void Push(Answer answer) { script_.push_back(Always(std::move(answer))); }
  void Say(std::string text) { Push(Answer(Says(std::move(text)))); }
  void Call(std::vector<model::ToolCall> calls) { Push(Answer(Says("", std::move(calls)))); }
  // Waits for `open`, then answers.
  void Hold(std::shared_ptr<io::OneShot<bool>> open, Answer answer) {
    Push([open, answer](model::ChatRequest, CallContext context,
                        model::DeltaSink*) -> io::Task<Answer> {
      if (absl::Status held = co_await Held(context, open); !held.ok()) co_return held;
      co_return answer;
    });
  }
  static Reply Always(Answer answer) {
    return [answer](model::ChatRequest, CallContext, model::DeltaSink* sink) -> io::Task<Answer> {
      if (answer.ok() && sink != nullptr) sink->OnText(model::TextOf(answer->message));
      co_return answer;
    };
  }

  io::Task<Answer> Complete(model::ChatRequest request, CallContext context,
                            model::DeltaSink* sink) override {
    requests.push_back(request);
    Reply reply = otherwise;
    if (!script_.empty()) {
      reply = std::move(script_.front());
      script_.pop_front();
    }
    asked.Add();
    co_return co_await reply(std::move(request), std::move(context), sink);
  }

  std::vector<model::ChatRequest> requests;
  Counter asked;
  // When the script is at its end.
  Reply otherwise = Always(absl::InternalError("the script is at its end"));
  std::size_t left() const { return script_.size(); }

 private:
  std::deque<Reply> script_;
};

// Owned by a router; the model itself outlives every router.
class BorrowedModel : public model::ChatModel {
 public:
  explicit BorrowedModel(model::ChatModel& model) : model_(model) {}
  io::Task<Answer> Complete(model::ChatRequest request, CallContext context,
                            model::DeltaSink* sink) override {
    return model_.Complete(std::move(request), std::move(context), sink);
  }

 private:
  model::ChatModel& model_;
};

}  // namespace talon::agent
