// SPDX-License-Identifier: Apache-2.0
// A provider's adapter between a fake HTTP client and a recording sink, with time that only moves
// when the adapter waits.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/loop.h"
#include "model/factory.h"
#include "model/http_model.h"
#include "model/wire.h"
#include "tests/support/fakes/fake_http_client.h"

namespace talon::model {

class ManualClock : public Clock {
 public:
  WallTime Now() const override { return wall; }
  SteadyTime SteadyNow() const override { return steady; }
  WallTime wall = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31);
  SteadyTime steady = SteadyTime() + std::chrono::hours(1);
};

class RecordingSink : public DeltaSink {
 public:
  void OnText(std::string_view piece) override { text += piece; }
  void OnReasoning(std::string_view piece) override { reasoning += piece; }
  void OnToolCall(int, std::string_view, std::string_view name) override {
    calls.emplace_back(name);
  }
  std::string text, reasoning;
  std::vector<std::string> calls;
};

enum class Splitting { kOnePiece, kEveryByte };

class ModelRig {
 public:
  explicit ModelRig(Wire wire) {
    options.api = wire;
    options.api_key = Secret("sk-test-0123456789");
  }

  // The adapter with the options as they are at the first use.
  HttpModel& model() {
    if (model_ == nullptr) {
      Sleep sleep = [this](SteadyTime until, CallContext context) -> io::Task<absl::Status> {
        waits.push_back(
            std::chrono::duration_cast<std::chrono::milliseconds>(until - clock.steady));
        clock.steady = until;
        if (on_sleep) on_sleep();
        co_return context.cancel.status();
      };
      redactor.Register(options.api_key);
      model_ = std::make_unique<HttpModel>("acme", options, MakeWireForTest(),
                                           ModelDependencies{loop, http, redactor, clock}, sleep);
    }
    return *model_;
  }

  absl::StatusOr<ChatResponse> Complete(ChatRequest request, DeltaSink* to = nullptr) {
    return loop.RunUntilDone(model().Complete(std::move(request), context, to));
  }

  absl::StatusOr<ChatResponse> Stream(const std::string& body, Splitting splitting,
                                      ChatRequest request = Hello()) {
    std::vector<std::string> pieces;
    if (splitting == Splitting::kOnePiece) {
      pieces.push_back(body);
    } else {
      for (char c : body) pieces.emplace_back(1, c);
    }
    http.Push(fakes::EventStream(std::move(pieces)));
    sink = RecordingSink();
    return Complete(std::move(request), &sink);
  }

  absl::StatusOr<ChatResponse> Answer(const std::string& body, ChatRequest request = Hello()) {
    http.Push(fakes::Whole(200, body));
    return Complete(std::move(request));
  }

  // The body the adapter sends for `request`.
  Json Sent(ChatRequest request, DeltaSink* to = nullptr) {
    http.Push(fakes::Whole(400, "{}"));
    EXPECT_FALSE(Complete(std::move(request), to).ok());
    return Json::parse(http.requests.back().body);
  }

  static ChatRequest Hello() {
    ChatRequest request;
    request.model = "some-model";
    request.messages.push_back(TextMessage(Role::kUser, "Hello", Integrity::kUser));
    return request;
  }

  ProviderOptions options;
  io::Loop loop;
  fakes::FakeHttpClient http;
  Redactor redactor;
  ManualClock clock;
  CallContext context;
  RecordingSink sink;
  std::vector<std::chrono::milliseconds> waits;
  std::function<void()> on_sleep;

 private:
  std::unique_ptr<WireFormat> MakeWireForTest() const {
    const std::string& url = options.base_url;
    switch (options.api) {
      case Wire::kAnthropic:
        return MakeAnthropicWire(url.empty() ? "https://anthropic.test" : url, "acme",
                                 options.default_max_tokens);
      case Wire::kGoogle:
        return MakeGoogleWire(url.empty() ? "https://google.test/v1beta" : url, "acme");
      default:
        return MakeOpenAiWire(url.empty() ? "https://openai.test/v1" : url, "acme",
                              options.dialect);
    }
  }
  std::unique_ptr<HttpModel> model_;
};

// "data: …" events, one for each document.
inline std::string Events(const std::vector<std::string>& documents) {
  std::string body;
  for (const std::string& document : documents) body += "data: " + document + "\n\n";
  return body;
}

inline Message AssistantCalls(std::vector<Part> parts) {
  Message message;
  message.role = Role::kAssistant;
  message.parts = std::move(parts);
  return message;
}

inline Message ToolResults(std::vector<Part> parts) {
  Message message;
  message.role = Role::kTool;
  message.parts = std::move(parts);
  return message;
}

}  // namespace talon::model
