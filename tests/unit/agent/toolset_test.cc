// SPDX-License-Identifier: Apache-2.0
// Which tools a model is shown.
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class ShownToolsTest : public AgentTest {
 public:
  // More tools than a prompt shows in full, and one that is shell__run.
  void AddMany() {
    for (int i = 0; i < 30; ++i) AddReader(fmt::format("x{}__look", i));
    tool::ToolSpec shell = WriteSpec("shell__run");
    shell.description = "Run a command with a shell.";
    shell.schema =
        R"({"type":"object","properties":{"command":{"type":"string","description":"The command."}},"required":["command"]})";
    AddTool(std::move(shell), [](tool::Invocation call, CallContext) -> io::Task<FakeTool::Output> {
      co_return Gives(call, "ran " + call.arguments);
    });
  }
  TurnOutcome AskReflex(std::string text) {
    TurnInput input = Input(std::move(text));
    input.model = "reflex/reflex";
    return AskInput(std::move(input));
  }
};

TEST_F(ShownToolsTest, TheBuiltInModelCallsToolsHoweverManyThereAre) {
  AddMany();
  Start();
  const TurnOutcome named = AskReflex(R"(/tool shell__run {"command":"echo hi"})");
  ASSERT_OK(named.error);
  ASSERT_THAT(world.calls, SizeIs(1)) << named.answer.text;
  EXPECT_EQ(world.calls[0].arguments, R"({"command":"echo hi"})");
  const TurnOutcome plain = AskReflex("run `echo hi`");
  ASSERT_OK(plain.error);
  ASSERT_THAT(world.calls, SizeIs(2)) << plain.answer.text;
  EXPECT_EQ(world.calls[1].tool, "shell__run");
}

TEST_F(ShownToolsTest, AModelWithAPriceSeesALineEach) {
  AddMany();
  Start();
  model.Say("ok");
  ASSERT_OK(Ask("hello").error);
  EXPECT_THAT(model.requests[0].tools, SizeIs(2));
  EXPECT_THAT(model.requests[0].system, HasSubstr("\n- shell__run: Run a command with a shell"));
}

}  // namespace
}  // namespace talon::agent
