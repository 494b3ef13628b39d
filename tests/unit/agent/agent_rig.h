// SPDX-License-Identifier: Apache-2.0
// An agent on a store of its own, between a scripted model and tools that remember. Start() and
// Crash() are the beginning and the end of a process; model, world and disk outlive it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/approvals.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/firewall.h"
#include "guard/guard.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "journal/journal.h"
#include "model/codec.h"
#include "model/factory.h"
#include "router/router.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/agent/fake_chat_model.h"
#include "tests/unit/agent/fake_tool.h"
#include "tests/unit/agent/fault_store.h"
#include "tool/catalogue.h"

namespace talon::agent {

#define ASSERT_OK(expression)                                                     \
  do {                                                                            \
    const auto& outcome_ = (expression);                                          \
    ASSERT_TRUE(outcome_.ok()) << StatusText(::talon::agent::ToStatus(outcome_)); \
  } while (false)
#define EXPECT_OK(expression)                                                     \
  do {                                                                            \
    const auto& outcome_ = (expression);                                          \
    EXPECT_TRUE(outcome_.ok()) << StatusText(::talon::agent::ToStatus(outcome_)); \
  } while (false)
inline absl::Status ToStatus(const absl::Status& status) {
  return status;
}
template <class T>
absl::Status ToStatus(const absl::StatusOr<T>& value) {
  return value.status();
}

// The real clock, which a test can put forward.
class ShiftedClock : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + std::chrono::hours(1) + shift +
           jump;
  }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now() + shift; }
  std::chrono::milliseconds shift{0};
  std::chrono::milliseconds jump{0};  // somebody set the wall's clock
};

class RecordingObserver : public TurnObserver {
 public:
  void OnText(std::string_view delta) override { text += delta; }
  void OnReasoning(std::string_view delta) override { reasoning += delta; }
  void OnToolStart(const ToolActivity& activity) override {
    events.push_back("start " + activity.tool);
  }
  void OnToolResult(const ToolActivity& activity) override {
    events.push_back((activity.is_error ? "error " : "result ") + activity.tool);
  }
  void OnEnd(const TurnOutcome& outcome) override { ends.push_back(outcome); }

  std::string text, reasoning;
  std::vector<std::string> events;
  std::vector<TurnOutcome> ends;
};

using Open = std::shared_ptr<io::OneShot<bool>>;
inline Open Closed() {
  return std::make_shared<io::OneShot<bool>>();
}

class AgentTest : public testing::Test {
 public:
  AgentTest() {
    model::ProviderOptions provider;
    provider.models.emplace_back();
    provider.models.back().id = "m";
    provider.models.back().cost = {.input = 1e6, .output = 1e6};
    models.providers["fake"] = provider;
    routing.primary = "fake/m";
  }
  ~AgentTest() override { Crash(); }

  void AddTool(tool::ToolSpec spec, FakeTool::Body body) {
    tools_.push_back(std::make_shared<FakeTool>(world, std::move(spec), std::move(body)));
  }
  void AddReader(const std::string& name = "test__look") {
    AddTool(ReadSpec(name), [](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
      co_return Gives(call, "seen " + call.arguments);
    });
  }
  // Has an effect in the world; a key it has seen before has none.
  void AddWriter(const std::string& name = "test__put", bool idempotent = false) {
    AddTool(WriteSpec(name, idempotent),
            [this, idempotent](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
              int& times = world.effects[call.idempotency_key];
              if (!idempotent || times == 0) ++times;
              co_return Gives(call, "put");
            });
  }

  void ForgetTools() { tools_.clear(); }

  // Begins a process; the tools are those added so far.
  void Start() {
    StartWithoutRecovery();
    EXPECT_OK(Run(agent->Recover()));
  }
  void StartWithoutRecovery() {
    auto opened =
        store::OpenSqlite(loop, folder_.path(), {.durability = store::Durability::kProcess});
    ASSERT_OK(opened);
    store = std::make_unique<FaultStore>(*std::move(opened));
    journal = std::make_unique<journal::Journal>(*store, clock, journal_options);
    catalogue = std::make_unique<tool::Catalogue>();
    for (const auto& tool : tools_) ASSERT_OK(catalogue->Add(tool));
    guard = std::make_unique<guard::Guard>(*catalogue, guard_options);
    auto rules = guard::ParsePolicy(policy, "policy of the test");
    ASSERT_OK(rules);
    guard->UsePolicy(*rules);
    guard->UseWorkspace("/workspace");
    auto made = router::Router::Create(
        models, routing, [this](const std::string&, const model::ProviderOptions& of) {
          return absl::StatusOr<std::unique_ptr<model::ChatModel>>(
              of.api == model::Wire::kReflex ? model::MakeReflexModel(clock)
                                             : std::make_unique<BorrowedModel>(model));
        });
    ASSERT_OK(made);
    router = *std::move(made);
    grants = std::make_unique<Grants>(*journal, clock, ids);
    ASSERT_OK(Run(grants->Load()));
    auto created = Agent::Create(options, {loop, clock, ids, *journal, *router, *catalogue, *guard,
                                           &hooks, firewall.get(), grants.get(), code_channel});
    ASSERT_OK(created);
    agent = *std::move(created);
  }
  // Ends a process: nothing more reaches the disk.
  void Crash() {
    if (agent == nullptr) return;
    store->fail_after = 0;
    store->fail_until = 1 << 30;
    Stop();
  }
  // Ends a process in order, with the turns under way parked.
  void Stop() {
    loop.RunUntilDone([](Agent* a) -> io::Task<int> {
      co_await a->Stop(std::chrono::steady_clock::now());
      co_return 0;
    }(agent.get()));
    agent.reset();
    grants.reset();
    router.reset();
    guard.reset();
    catalogue.reset();
    journal.reset();
    store.reset();
  }

  template <class T>
  T Run(io::Task<T> task) {
    return loop.RunUntilDone(std::move(task));
  }

  static journal::EventEnvelope Event(std::string session, std::string key = "") {
    journal::EventEnvelope event;
    event.source = "test";
    event.principal.origin = "test";
    event.label.integrity = Integrity::kUser;
    event.session_key = std::move(session);
    event.dedupe_key = std::move(key);
    return event;
  }
  static TurnInput Input(std::string text) {
    TurnInput input;
    input.messages = {model::TextMessage(model::Role::kUser, std::move(text), Integrity::kUser)};
    return input;
  }

  absl::StatusOr<journal::Accepted> Submit(std::string text, std::string session = "s",
                                           std::string key = "", TurnObserver* observer = nullptr) {
    return SubmitInput(Input(std::move(text)), std::move(session), std::move(key), observer);
  }
  absl::StatusOr<journal::Accepted> SubmitInput(TurnInput input, std::string session = "s",
                                                std::string key = "",
                                                TurnObserver* observer = nullptr) {
    return Run(
        agent->Submit(Event(std::move(session), std::move(key)), std::move(input), observer));
  }
  TurnOutcome Await(const TurnId& turn) {
    auto outcome = Run(agent->Await(turn, {}));
    if (outcome.ok()) return *outcome;
    return {.turn = turn, .session = {}, .state = {}, .answer = {}, .error = outcome.status()};
  }
  TurnOutcome AskInput(TurnInput input, std::string session = "s", std::string key = "") {
    auto accepted = SubmitInput(std::move(input), std::move(session), std::move(key));
    if (accepted.ok()) return Await(accepted->turn);
    return {.turn = {}, .session = {}, .state = {}, .answer = {}, .error = accepted.status()};
  }
  TurnOutcome Ask(std::string text, std::string session = "s", std::string key = "") {
    return AskInput(Input(std::move(text)), std::move(session), std::move(key));
  }

  std::vector<journal::MessageRecord> Messages(const std::string& session = "s") {
    auto record = Run(journal->FindSession(Event(session).principal, session));
    if (!record.ok() || !record->has_value()) return {};
    auto messages = Run(journal->LoadMessages((*record)->id, 1000));
    EXPECT_OK(messages);
    return messages.ok() ? *messages : std::vector<journal::MessageRecord>();
  }
  // "user: hello", "assistant: calls test__look", "tool: …", with the wrapping taken off.
  std::vector<std::string> Conversation(const std::string& session = "s") {
    std::vector<std::string> lines;
    for (const journal::MessageRecord& record : Messages(session)) {
      auto message = model::DecodeMessage(record.content);
      EXPECT_OK(message);
      lines.push_back(Line(*message));
    }
    return lines;
  }
  static std::string Line(const model::Message& message) {
    std::string line(model::RoleName(message.role));
    line += ':';
    for (const model::Part& part : message.parts) {
      if (const auto* text = std::get_if<model::TextPart>(&part)) line += " " + text->text;
      if (const auto* call = std::get_if<model::ToolCall>(&part)) line += " calls " + call->name;
      if (const auto* result = std::get_if<model::ToolResult>(&part)) {
        std::string content = result->content;
        const auto begin = content.find("]\n");
        const auto end = content.find("\n[/plugin_output]");
        if (begin != std::string::npos && end != std::string::npos) {
          content = content.substr(begin + 2, end - begin - 2);
        }
        line += " " + content;
      }
    }
    return line;
  }
  static std::vector<std::string> Lines(const model::ChatRequest& request) {
    std::vector<std::string> lines;
    for (const model::Message& message : request.messages) lines.push_back(Line(message));
    return lines;
  }
  std::vector<std::string> Steps(const TurnId& turn) {
    std::vector<std::string> names;
    auto steps = Run(journal->LoadSteps(turn));
    EXPECT_OK(steps);
    for (const journal::StepRecord& step : *steps) {
      std::string name(journal::StepKindName(step.kind));
      auto data = ParseJson(step.data, "step");
      if (step.kind == journal::StepKind::kRepair) name += " " + JsonString(*data, "kind");
      if (step.kind == journal::StepKind::kToolFinished) name += " " + JsonString(*data, "outcome");
      names.push_back(std::move(name));
    }
    return names;
  }
  std::vector<Json> StepData(const TurnId& turn, journal::StepKind kind) {
    std::vector<Json> list;
    auto steps = Run(journal->LoadSteps(turn));
    EXPECT_OK(steps);
    for (const journal::StepRecord& step : *steps) {
      auto data = ParseJson(step.data, "step");
      EXPECT_OK(data);
      if (step.kind == kind) list.push_back(*std::move(data));
    }
    return list;
  }
  std::vector<journal::EffectRecord> Effects(const TurnId& turn) {
    auto effects = Run(journal->LoadEffects(turn));
    EXPECT_OK(effects);
    return effects.ok() ? *effects : std::vector<journal::EffectRecord>();
  }
  journal::TurnRecord Record(const TurnId& turn) {
    auto record = Run(journal->LoadTurn(turn));
    EXPECT_OK(record);
    return record.ok() ? *record : journal::TurnRecord();
  }
  // Positions without gaps, and every call answered once, in its place.
  void ExpectWhole(const std::string& session = "s") {
    std::int64_t seq = 0;
    std::vector<std::string> open;
    for (const journal::MessageRecord& record : Messages(session)) {
      EXPECT_EQ(record.seq, ++seq);
      auto message = model::DecodeMessage(record.content);
      ASSERT_OK(message);
      if (message->role != model::Role::kTool) {
        EXPECT_THAT(open, testing::IsEmpty());
      }
      for (const model::Part& part : message->parts) {
        if (const auto* call = std::get_if<model::ToolCall>(&part)) open.push_back(call->id);
        if (const auto* result = std::get_if<model::ToolResult>(&part)) {
          EXPECT_EQ(std::erase(open, result->call_id), 1u) << result->call_id;
        }
      }
    }
    EXPECT_THAT(open, testing::IsEmpty());
  }

  io::Loop loop;
  journal::JournalOptions journal_options;
  ShiftedClock clock;
  RandomIdSource ids;
  World world;
  FakeChatModel model;
  model::ModelsOptions models;
  router::RoutingOptions routing;
  OrchestratorOptions options;
  guard::GuardOptions guard_options;
  std::string policy = "defaults: false\nrules: [{otherwise: allow}]";  // "": the built-in one
  hook::Hooks hooks;

  std::unique_ptr<FaultStore> store;
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<tool::Catalogue> catalogue;
  std::unique_ptr<guard::Guard> guard;
  std::unique_ptr<guard::Firewall> firewall;  // none unless a test makes one
  std::unique_ptr<router::Router> router;
  std::unique_ptr<Grants> grants;
  CodeChannel* code_channel = nullptr;
  std::unique_ptr<Agent> agent;

 private:
  test::TempFolder folder_{test::Where::kMemory};
  std::vector<std::shared_ptr<tool::Tool>> tools_;
};

}  // namespace talon::agent
