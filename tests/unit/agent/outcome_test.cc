// SPDX-License-Identifier: Apache-2.0
// What model, journal and client are told about how a tool call ended.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class OutcomeTest : public AgentTest {
 public:
  // A tool with an effect that ends with `error`.
  TurnOutcome AskFailing(const absl::Status& error) {
    AddTool(
        WriteSpec("test__put"),
        [error](tool::Invocation, CallContext) -> io::Task<FakeTool::Output> { co_return error; });
    Start();
    model.Call({Call("test__put", "{}", "a")});
    model.Say("sorry");
    return Ask("go");
  }
};

TEST_F(OutcomeTest, AnEffectWhoseAnswerWasTooLongIsUnknown) {
  const TurnOutcome outcome =
      AskFailing(MakeError(absl::StatusCode::kResourceExhausted, ErrorReason::kPluginMisbehaved,
                           "the answer of 5000000 bytes exceeds the limit of 4194304"));
  ASSERT_OK(outcome.error);
  ASSERT_THAT(Effects(outcome.turn), SizeIs(1));
  EXPECT_EQ(Effects(outcome.turn)[0].state, journal::EffectState::kUnknown);
  ASSERT_THAT(model.requests, SizeIs(2));
  const auto results = model.requests[1].messages.back().parts;
  EXPECT_THAT(std::get<model::ToolResult>(results[0]).content,
              HasSubstr("The outcome of this call is unknown"));
}

TEST_F(OutcomeTest, ARequestThatWasTooLongIsNotExecuted) {
  const TurnOutcome outcome = AskFailing(ResourceExhausted("the request of 9 bytes is too long"));
  ASSERT_OK(outcome.error);
  EXPECT_EQ(Effects(outcome.turn)[0].state, journal::EffectState::kFailed);
}

// What a client has seen of a turn must still be true after a restart.
TEST_F(OutcomeTest, AResultIsShownOnlyWhenItIsStored) {
  AddWriter();
  AddTool(WriteSpec("test__last"),
          [this](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
            store->fail_after = store->commits;
            store->fail_until = 1 << 30;
            co_return Gives(call, "done");
          });
  Start();
  model.Call({Call("test__put", "{}", "a")});
  model.Call({Call("test__last", "{}", "b")});
  RecordingObserver observer;
  const auto accepted = Submit("go", "s", "", &observer);
  ASSERT_OK(accepted);
  EXPECT_FALSE(Await(accepted->turn).error.ok());
  EXPECT_THAT(world.calls, SizeIs(2));
  EXPECT_THAT(observer.events,
              ElementsAre("start test__put", "result test__put", "start test__last"));
}

}  // namespace
}  // namespace talon::agent
