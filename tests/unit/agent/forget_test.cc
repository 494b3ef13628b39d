// SPDX-License-Identifier: Apache-2.0
// Sessions that nobody gave a key are forgotten after their time, others never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

class ForgetTest : public AgentTest {
 protected:
  void SetUp() override {
    model.otherwise = [](model::ChatRequest, CallContext, model::DeltaSink*) -> io::Task<Answer> {
      co_return Says("done");
    };
  }
  bool Known(const SessionId& session) { return Run(journal->LoadSession(session)).ok(); }
  SessionId SessionOf(std::string key) {
    auto accepted = Submit("hi", std::move(key));
    EXPECT_OK(accepted);
    EXPECT_OK(Await(accepted->turn).error);
    return accepted->session;
  }
  // Until it is forgotten, or 10 s.
  bool UntilForgotten(const SessionId& session) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (Known(session)) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
};

TEST_F(ForgetTest, AtTheStartThoseThatAreDueGo) {
  Start();
  std::vector<SessionId> unnamed;
  for (int i = 0; i < 70; ++i) unnamed.push_back(SessionOf(""));  // more than are forgotten at once
  const SessionId named = SessionOf("mine");
  clock.shift += std::chrono::days(6);
  const SessionId fresh = SessionOf("");
  // Used again by its id, which stands for a key.
  SessionOf(unnamed.back().str());
  clock.shift += std::chrono::days(2);
  Stop();
  Start();
  ASSERT_TRUE(UntilForgotten(unnamed[68]));
  for (int i = 0; i < 69; ++i) EXPECT_FALSE(Known(unnamed[static_cast<std::size_t>(i)])) << i;
  EXPECT_TRUE(Known(unnamed.back()));
  EXPECT_TRUE(Known(fresh));
  EXPECT_TRUE(Known(named));
}

TEST_F(ForgetTest, WhileItRunsOneGoesWhenItsTimeComes) {
  journal_options.keep_unnamed = std::chrono::milliseconds(30);
  Start();
  const SessionId named = SessionOf("mine");
  const SessionId first = SessionOf("");
  // The clock of the records stands still; the timer's does not.
  clock.shift += std::chrono::milliseconds(40);
  EXPECT_TRUE(UntilForgotten(first));
  const SessionId second = SessionOf("");
  clock.shift += std::chrono::milliseconds(40);
  EXPECT_TRUE(UntilForgotten(second)) << "the timer is armed anew";
  EXPECT_TRUE(Known(named));
}

TEST_F(ForgetTest, AClockThatIsSetForwardForgetsNothingEarly) {
  journal_options.keep_unnamed = std::chrono::milliseconds(6400);
  Start();
  const SessionId due = SessionOf("");
  clock.jump = std::chrono::milliseconds(6300);  // the timer's clock goes on by itself
  const SessionId fresh = SessionOf("");
  Stop();
  Start();
  clock.jump += std::chrono::days(400);
  EXPECT_TRUE(UntilForgotten(due));
  EXPECT_TRUE(Known(fresh));
}

TEST_F(ForgetTest, AClockThatIsSetBackForgetsNothingEarlyEither) {
  journal_options.keep_unnamed = std::chrono::milliseconds(30);
  Start();
  const SessionId old = SessionOf("");
  clock.jump = -std::chrono::days(400);
  const SessionId now = SessionOf("");
  clock.shift += std::chrono::milliseconds(40);
  EXPECT_TRUE(UntilForgotten(now));
  EXPECT_TRUE(Known(old)) << "used in what is the future now";
}

TEST_F(ForgetTest, ZeroKeepsThemForEver) {
  journal_options.keep_unnamed = std::chrono::milliseconds(0);
  Start();
  const SessionId unnamed = SessionOf("");
  clock.shift += std::chrono::days(10000);
  Stop();
  Start();
  SessionOf("");
  EXPECT_TRUE(Known(unnamed));
}

TEST_F(ForgetTest, OneWithATurnUnderWayStays) {
  Start();
  model.Hold(Closed(), Answer(Says("never")));
  const auto running = Submit("hi", "");
  ASSERT_OK(running);
  Run(model.asked.Reached(1));
  const SessionId other = SessionOf("");
  clock.shift += std::chrono::days(8);
  Crash();
  model.Hold(Closed(), Answer(Says("never")));
  Start();
  EXPECT_TRUE(UntilForgotten(other));
  EXPECT_TRUE(Known(running->session));
  Run(model.asked.Reached(3));
}

}  // namespace
}  // namespace talon::agent
