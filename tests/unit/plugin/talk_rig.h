// SPDX-License-Identifier: Apache-2.0
// A host with one real plugin process "t", and a person who listens and answers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "plugin/host.h"
#include "tests/support/plugin_host_rig.h"

namespace talon::plugin {

// The person and those who watch.
class Listener : public tool::CallEvents {
 public:
  void OnProgress(const tool::Progress& progress) override { heard.push_back(progress.text); }
  io::Task<tool::Answer> Ask(tool::Question question, CallContext context) override {
    heard.push_back("? " + question.text);
    questions.push_back(question);
    asked.Set(true);
    if (on_question) on_question();
    if (!waits) co_return answer;
    io::OneShot<bool> ended;
    const auto registration = context.cancel.OnCancel([&ended] { ended.Set(true); });
    co_await ended.Wait();
    heard.emplace_back("withdrawn");
    co_return tool::Answer();
  }

  std::vector<std::string> heard;
  std::vector<tool::Question> questions;
  tool::Answer answer{.action = tool::AnswerAction::kAccept, .content = R"({"n":1})", .reason = ""};
  bool waits = false;  // until the question is withdrawn
  io::OneShot<bool> asked;
  std::function<void()> on_question;
};

class TalkTest : public PluginHostRig {
 public:
  TalkTest() {
    options_.backoff_base = std::chrono::milliseconds(5);
    options_.stop_grace = std::chrono::seconds(1);
    options_.watch_interval = std::chrono::milliseconds(1);
  }
  ~TalkTest() override { StopHost(); }  // before the listener goes

  void Load(const std::string& some_tool) {
    host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_);
    ASSERT_TRUE(loop_.RunUntilDone(host_->Load({{"t", entry_}})).ok());
    ASSERT_NE(catalogue_.Find("t__" + some_tool), nullptr) << Info().last_error;
  }
  bool Offered(const std::string& tool) { return catalogue_.Find("t__" + tool) != nullptr; }

  io::Task<absl::StatusOr<tool::ToolOutput>> Start(
      const std::string& tool, const Json& arguments,
      std::chrono::milliseconds time = std::chrono::seconds(20), CancelToken cancel = {}) {
    const tool::Entry* entry = catalogue_.Find("t__" + tool);
    TALON_CHECK(entry != nullptr);
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + time;
    context.cancel = std::move(cancel);
    return entry->tool->Execute({.call_id = "call_1",
                                 .tool = "t__" + tool,
                                 .arguments = arguments.dump(),
                                 .idempotency_key = "key_1",
                                 .session = {},
                                 .events = &listener_},
                                std::move(context));
  }
  std::string ContentOf(const std::string& tool, const Json& arguments) {
    const auto output = loop_.RunUntilDone(Start(tool, arguments));
    return output.ok() ? output->content + output->error : StatusText(output.status());
  }

  Listener listener_;
};

}  // namespace talon::plugin
