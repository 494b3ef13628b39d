// SPDX-License-Identifier: Apache-2.0
// Channels of OpenTalon's contract on grpc-go and on Python's grpcio; the agent is a fake that
// repeats what it is told.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/status.h"
#include "channel/opentalon_channel.h"
#include "tests/interop/peers.h"

namespace talon::channel {
namespace {

using namespace std::chrono_literals;

class FakeAgent : public agent::Agent {
 public:
  io::Task<absl::StatusOr<journal::Accepted>> Submit(journal::EventEnvelope event,
                                                     agent::TurnInput input,
                                                     agent::TurnObserver*) override {
    events.push_back(std::move(event));
    inputs.push_back(std::move(input));
    journal::Accepted accepted;
    accepted.turn = TurnId(std::to_string(events.size() - 1));
    co_return accepted;
  }
  io::Task<absl::StatusOr<agent::TurnOutcome>> Await(TurnId turn, CallContext) override {
    agent::TurnOutcome outcome;
    const std::string text = model::TextOf(inputs[std::stoul(turn.str())].messages[0]);
    if (text == "fail") {
      outcome.error = Internal("secret details");
    } else {
      outcome.answer.text = "re: " + text;
    }
    co_return outcome;
  }
  io::Task<absl::StatusOr<Principal>> OwnerOf(TurnId) override {
    co_return NotFound("a fake has no owners");
  }
  io::Task<absl::Status> Answer(Principal, TurnId, QuestionId, tool::AnswerAction,
                                std::string) override {
    co_return NotFound("a fake asks nothing");
  }
  io::Task<absl::StatusOr<journal::ApprovalRecord>> AnswerApproval(agent::ApprovalAnswer,
                                                                   const Principal*) override {
    co_return NotFound("a fake asks nothing");
  }
  io::Task<absl::StatusOr<guard::CheckedCall>> JudgeCall(Principal, std::string, std::string,
                                                         model::ToolCall) override {
    co_return NotFound("a fake judges nothing");
  }
  io::Task<absl::StatusOr<std::vector<agent::Undelivered>>> LoadUndelivered(
      std::string origin) override {
    EXPECT_EQ(origin, "channel:chat");
    co_return undelivered;
  }
  io::Task<absl::StatusOr<bool>> CountDelivery(TurnId turn, std::int64_t most) override {
    co_return ++tries[turn.str()] <= most;
  }
  void Delivered(const TurnId& turn) override { delivered.push_back(turn.str()); }
  io::Task<void> Watch(TurnId, agent::TurnObserver&) override { co_return; }
  void Forget(const TurnId&, agent::TurnObserver*) override {}
  bool Cancel(const TurnId&, absl::Status) override { return false; }
  io::Task<absl::Status> Recover() override { co_return absl::OkStatus(); }
  io::Task<void> Stop(SteadyTime) override { co_return; }
  io::Task<absl::StatusOr<agent::ContextReport>> Context(Principal, std::string,
                                                         std::string) override {
    co_return agent::ContextReport();
  }
  std::size_t running_turns() const override { return 0; }
  void Evict(const SessionId&) override {}
  io::Task<absl::Status> DeleteSession(SessionId, agent::OpenTurns) override {
    co_return absl::OkStatus();
  }

  std::vector<journal::EventEnvelope> events;
  std::vector<agent::TurnInput> inputs;
  std::vector<std::string> delivered;
  std::vector<agent::Undelivered> undelivered;
  std::map<std::string, std::int64_t> tries;  // by turn
};

// What may run is the host's to say.
io::Task<absl::StatusOr<std::shared_ptr<const plugin::Program>>> Anything(std::string path) {
  co_return plugin::Program::Open(path);
}

class ChannelTest : public testing::TestWithParam<bool> {  // Go?
 protected:
  void SetUp() override {
    const std::string missing = GetParam() ? plugin::MissingGo() : plugin::MissingPython();
    if (!missing.empty()) GTEST_SKIP() << missing;
    entry_.plugin = GetParam() ? TALON_GO_PEERS "/opentalon_channel" : "/usr/bin/python3";
    if (!GetParam()) {
      entry_.args = {TALON_PYTHON_PEERS "/opentalon_channel.py"};
      plugin::AddPythonStubs(entry_.env);
    }
    entry_.start_timeout = 20s;
    entry_.config.text = R"({"folder":")" + folder_.path() + R"("})";
    limits_.backoff_base = 5ms;
  }
  ~ChannelTest() override { Stop(); }

  void Open() {
    channel_ = std::make_unique<OpenTalonChannel>(
        "chat", entry_,
        OpenTalonChannel::Dependencies{.loop = loop_,
                                       .clock = clock_,
                                       .agent = agent_,
                                       .limits = limits_,
                                       .redactor = redactor_,
                                       .sandbox = nullptr,
                                       .admit = &Anything,
                                       .run_directory = folder_ / "r",
                                       .data_directory = folder_ / "data",
                                       .random = [] { return 0.5; }});
    channel_->Start();
  }
  void Stop() {
    if (channel_ == nullptr) return;
    (void)loop_.RunUntilDone([](OpenTalonChannel* channel) -> io::Task<bool> {
      co_await channel->Stop();
      co_return true;
    }(channel_.get()));
    channel_ = nullptr;
  }
  void Write(const std::string& file, const std::string& text) {
    std::ofstream(folder_ / file) << text;
  }
  std::string Answers() {
    std::stringstream text;
    text << std::ifstream(folder_ / "answers").rdbuf();
    return text.str();
  }
  // Lets the loop run until there are so many answers, or 20 s.
  bool UntilAnswers(long count) {
    return loop_.RunUntilDone([](io::Loop* loop, std::function<bool()> done) -> io::Task<bool> {
      for (int i = 0; i < 2000 && !done(); ++i) {
        (void)co_await loop->SleepUntil(std::chrono::steady_clock::now() + 10ms, {});
      }
      co_return done();
    }(&loop_, [this, count] {
                                const std::string text = Answers();
                                return std::count(text.begin(), text.end(), '\n') >= count;
                              }));
  }

  io::Loop loop_;
  SystemClock clock_;
  Redactor redactor_;
  test::TempFolder folder_{test::Where::kMemory};
  FakeAgent agent_;
  plugin::HostOptions limits_;
  ChannelEntry entry_;
  std::unique_ptr<OpenTalonChannel> channel_;
};

TEST_P(ChannelTest, MessagesBecomeTurnsAndAnswersGoBack) {
  Write("say", "hello\nfail\n");
  Open();
  ASSERT_TRUE(UntilAnswers(2)) << Answers();
  const std::string thread = GetParam() ? "t1" : "";
  EXPECT_NE(Answers().find("chat/room 1/" + thread + ": re: hello\n"), std::string::npos);
  EXPECT_NE(Answers().find("I could not answer"), std::string::npos);
  EXPECT_EQ(Answers().find("secret"), std::string::npos);
  ASSERT_EQ(agent_.events.size(), 2U);
  const journal::EventEnvelope& event = agent_.events[0];
  EXPECT_EQ(event.source, "channel:chat");
  EXPECT_EQ(event.principal.origin, "channel:chat");
  EXPECT_EQ(event.principal.user, "chat:u1");
  EXPECT_EQ(event.session_key, GetParam() ? "chat:room 1:t1" : "chat:room 1");
  EXPECT_EQ(event.label.integrity, Integrity::kUntrusted);
  EXPECT_EQ(agent_.inputs[0].messages[0].label.integrity, Integrity::kUntrusted);
}

TEST_P(ChannelTest, AChannelThatDiesIsStartedAgainAndGetsItsAnswer) {
  Write("armed", "");
  Write("say", "one\n");
  Open();
  ASSERT_TRUE(UntilAnswers(2)) << Answers();  // once by the process that died, once by the next
  EXPECT_EQ(agent_.events.size(), 1U);
  Stop();
  EXPECT_EQ(agent_.delivered, std::vector<std::string>{"0"});
}

TEST_P(ChannelTest, WhatWasNotDeliveredBeforeGoesOutWhenItOpens) {
  agent::TurnInput earlier;
  earlier.messages = {model::TextMessage(model::Role::kUser, "earlier", Integrity::kUntrusted)};
  agent_.inputs = {earlier, earlier};
  agent_.events.resize(2);
  const std::string reply_to = EncodeReplyTo({"room 9", "", "u1", ""});
  agent_.undelivered = {{TurnId("0"), reply_to}, {TurnId("1"), reply_to}};
  entry_.max_deliveries = 3;
  agent_.tries["1"] = 3;  // a dead letter
  Open();
  ASSERT_TRUE(UntilAnswers(1)) << Answers();
  Stop();
  EXPECT_EQ(Answers(), "chat/room 9/: re: earlier\n");
  EXPECT_EQ(agent_.delivered, std::vector<std::string>{"0"});
  EXPECT_EQ(agent_.tries["0"], 1);
}

TEST_P(ChannelTest, TheStreamOfTheNextProcessIsOpenedToo) {
  Write("armed", "two\n");  // told by the next process, when its stream is opened
  Write("say", "one\n");
  Open();
  ASSERT_TRUE(UntilAnswers(3)) << Answers();
  EXPECT_NE(Answers().find("re: two"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Stacks, ChannelTest, testing::Bool(), [](const auto& stack) {
  return stack.param ? std::string("Go") : std::string("Python");
});

TEST(CutForChannelTest, CutsAtLinesAndWords) {
  EXPECT_EQ(CutForChannel("short", 0), std::vector<std::string>{"short"});
  EXPECT_EQ(CutForChannel("", 20), std::vector<std::string>{""});
  EXPECT_EQ(CutForChannel("twelve bytes and some more", 20),
            (std::vector<std::string>{"twelve bytes and ", "some more"}));
  EXPECT_EQ(CutForChannel("first line is here\nand a second one", 20),
            (std::vector<std::string>{"first line is here\n", "and a second one"}));
  std::string whole;
  for (const std::string& piece : CutForChannel(std::string(100, 'x') + "\xC3\xA9", 30)) {
    EXPECT_LE(piece.size(), 30U);
    whole += piece;
  }
  EXPECT_EQ(whole, std::string(100, 'x') + "\xC3\xA9");
}

}  // namespace
}  // namespace talon::channel
