// SPDX-License-Identifier: Apache-2.0
// The small parts: loop guard, prompts, toolset, codec, remains.
#include <fstream>

#include "agent/loop_guard.h"
#include "agent/prompt.h"
#include "agent/remains.h"
#include "agent/toolset.h"
#include "agent/turn_codec.h"
#include "tests/unit/agent/agent_rig.h"

namespace talon::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(LoopGuardTest, WarnsAtTwoBlocksAtFourEndsAtNine) {
  LoopGuard guard(100);
  for (int i = 1; i <= 4; ++i) {
    EXPECT_LT(guard.Repeats("t", "{}"), LoopGuard::kBlockAt);
    EXPECT_EQ(guard.Record("t", "{}", "same", false), i >= 2) << i;
  }
  EXPECT_EQ(guard.Repeats("t", "{}"), LoopGuard::kBlockAt);
  EXPECT_EQ(guard.Repeats("t", "{\"q\":1}"), 0);
  EXPECT_EQ(guard.Repeats("u", "{}"), 0);
  for (int i = 5; i <= 9; ++i) {
    EXPECT_FALSE(guard.exhausted());
    guard.RecordBlocked("t", "{}");
  }
  EXPECT_TRUE(guard.exhausted());
}

TEST(LoopGuardTest, AnotherResultIsNoRepetition) {
  LoopGuard guard(100);
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(guard.Record("poll", "{}", std::to_string(i), false));
    EXPECT_EQ(guard.Repeats("poll", "{}"), 1);
    EXPECT_FALSE(guard.exhausted());
  }
  guard.Record("poll", "{}", "nine", false);
  EXPECT_TRUE(guard.exhausted());
}

TEST(LoopGuardTest, OldCallsAreForgotten) {
  LoopGuard guard(100);
  for (int i = 0; i < 3; ++i) guard.Record("t", "{}", "same", false);
  for (int i = 0; i < 15; ++i) guard.Record("u", std::to_string(i), "r", false);
  EXPECT_EQ(guard.Repeats("t", "{}"), 0);
}

TEST(LoopGuardTest, RoundsWithoutProgressAreCountedInARow) {
  LoopGuard guard(2);
  guard.Record("t", "1", "r", true);
  guard.EndRound();
  guard.Record("t", "2", "r", false);  // progress
  guard.EndRound();
  guard.Record("t", "2", "r", false);  // repeats
  guard.EndRound();
  EXPECT_FALSE(guard.exhausted());
  guard.EndRound();  // nothing ran
  EXPECT_TRUE(guard.exhausted());
}

TEST(PromptTest, AreReplacedByFilesOfTheSameName) {
  test::TempFolder folder;
  std::ofstream(folder / "safety.txt") << "Be careful.\n";
  std::ofstream(folder / "notes.md") << "not a prompt";
  auto book = PromptBook::Load(folder.path());
  ASSERT_OK(book);
  EXPECT_EQ(book->Get("safety"), "Be careful.");
  EXPECT_THAT(book->Get("system"), HasSubstr("{date}"));
  const std::string system = BuildSystemPrompt(*book, {.date = "2026-01-31",
                                                       .rules = {" one ", "two"},
                                                       .tool_lines = {"a: b"},
                                                       .instructions = "last"});
  EXPECT_THAT(system, HasSubstr("Today is 2026-01-31."));
  EXPECT_THAT(system, HasSubstr("\n\nBe careful.\n[custom] one\n[custom] two\n\n"));
  EXPECT_THAT(system, HasSubstr("\n- a: b\n"));
  EXPECT_TRUE(system.ends_with("last"));
}

TEST(PromptTest, AnUnknownFileOrFolderIsNamed) {
  test::TempFolder folder;
  std::ofstream(folder / "sytem.txt") << "x";
  const auto unknown = PromptBook::Load(folder.path());
  EXPECT_TRUE(absl::IsInvalidArgument(unknown.status()));
  EXPECT_THAT(std::string(Message(unknown.status())), HasSubstr("sytem.txt"));
  EXPECT_THAT(std::string(Message(unknown.status())), HasSubstr("system"));
  const auto missing = PromptBook::Load(folder / "none");
  EXPECT_THAT(std::string(Message(missing.status())), HasSubstr("none"));
}

TEST(ToolsetTest, FewToolsAreShownInFullAndThePersonsNotAtAll) {
  World world;
  tool::Catalogue catalogue;
  auto body = [](tool::Invocation, CallContext) -> io::Task<FakeTool::Output> {
    co_return Internal("not run");
  };
  for (const char* name : {"a__one", "a__two", "a__three"}) {
    tool::ToolSpec spec = ReadSpec(name);
    spec.user_only = name == std::string("a__two");
    ASSERT_OK(catalogue.Add(std::make_shared<FakeTool>(world, spec, body)));
  }
  Toolset few = ChooseTools(catalogue, 2, {});
  EXPECT_THAT(few.shown, SizeIs(2));
  EXPECT_THAT(few.lines, IsEmpty());
  Toolset many = ChooseTools(catalogue, 1, {});
  EXPECT_THAT(many.shown, IsEmpty());
  EXPECT_THAT(many.lines, ElementsAre("a__one: Looks", "a__three: Looks"));
  EXPECT_THAT(LoadedNames(R"({"names":["x",7,"y"]})"), ElementsAre("x", "y"));
  EXPECT_THAT(LoadedNames("nonsense"), IsEmpty());
  EXPECT_THAT(LoadedNames(R"({"names":"x"})"), IsEmpty());
}

TEST(TurnCodecTest, AnInputSurvives) {
  TurnInput input;
  input.messages = {model::TextMessage(model::Role::kUser, "hi \"there\"", Integrity::kUser),
                    Says("text", {Call("t", "{\"a\":1}", "id")}).message};
  input.messages[1].label.readers = {"ann,a", "bob"};
  input.model = "m";
  input.mode = TurnMode::kTask;
  input.instructions = "more";
  input.client_tools = {{.name = "w", .description = "d", .schema = "{}"}};
  input.tool_choice = model::ToolChoice::kRequired;
  input.only_tool = "weather";
  input.max_output_tokens = 7;
  input.temperature = 0.25;
  input.top_p = 0.5;
  input.stop = {"a", "b"};
  auto decoded = DecodeInput(EncodeInput(input));
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->messages, input.messages);
  EXPECT_EQ(decoded->model, input.model);
  EXPECT_EQ(decoded->mode, input.mode);
  EXPECT_EQ(decoded->instructions, input.instructions);
  EXPECT_EQ(decoded->client_tools, input.client_tools);
  EXPECT_EQ(decoded->tool_choice, input.tool_choice);
  EXPECT_EQ(decoded->only_tool, input.only_tool);
  EXPECT_EQ(decoded->max_output_tokens, input.max_output_tokens);
  EXPECT_EQ(decoded->temperature, input.temperature);
  EXPECT_EQ(decoded->top_p, input.top_p);
  EXPECT_EQ(decoded->stop, input.stop);
  auto least = DecodeInput(EncodeInput(AgentTest::Input("x")));
  ASSERT_OK(least);
  EXPECT_FALSE(least->max_output_tokens || least->temperature || least->top_p);
}

TEST(TurnCodecTest, AnAnswerSurvives) {
  TurnAnswer answer;
  answer.text = "text";
  answer.client_calls = {Call("t", "{}", "id")};
  answer.finish_reason = model::FinishReason::kContentFilter;
  answer.usage = {.input_tokens = 1, .output_tokens = 2, .cached_input_tokens = 3};
  answer.cost_usd = 0.125;
  answer.model = "a/b";
  answer.rounds = 4;
  auto decoded = DecodeAnswer(EncodeAnswer(answer));
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->text, answer.text);
  EXPECT_EQ(decoded->client_calls, answer.client_calls);
  EXPECT_EQ(decoded->finish_reason, answer.finish_reason);
  EXPECT_EQ(decoded->usage, answer.usage);
  EXPECT_EQ(decoded->cost_usd, answer.cost_usd);
  EXPECT_EQ(decoded->model, answer.model);
  EXPECT_EQ(decoded->rounds, answer.rounds);
}

TEST(TurnCodecTest, EveryErrorReasonSurvives) {
  for (int reason = 0; reason <= static_cast<int>(ErrorReason::kUnknownModel); ++reason) {
    const absl::Status error =
        MakeError(absl::StatusCode::kUnavailable, static_cast<ErrorReason>(reason), "why");
    const absl::Status decoded = DecodeError(EncodeError(error));
    EXPECT_EQ(ReasonOf(decoded), static_cast<ErrorReason>(reason));
    EXPECT_EQ(decoded.code(), error.code());
    EXPECT_EQ(Message(decoded), "why");
  }
}

TEST(TurnCodecTest, WhatIsNoRecordIsAnError) {
  for (const char* text : {"", "[]", "7", "{\"messages\":[{\"message\":\"x\"}]}"}) {
    EXPECT_FALSE(DecodeInput(text).ok()) << text;
  }
  EXPECT_FALSE(DecodeAnswer("[]").ok());
  EXPECT_FALSE(DecodeError("").ok());
  EXPECT_EQ(DecodeError(R"({"code":99,"reason":-1})").code(), absl::StatusCode::kInternal);
  auto odd = DecodeInput(R"({"messages":[],"tool_choice":-5})");
  ASSERT_OK(odd);
  EXPECT_EQ(odd->tool_choice, model::ToolChoice::kAuto);
}

TEST(RemainsTest, StepsThatAreNoJsonAreCountedOnly) {
  journal::StepRecord step;
  step.seq = 3;
  step.kind = journal::StepKind::kToolIntended;
  step.data = "garbage";
  Remains remains;
  LoopGuard guard(3);
  ReadSteps({step}, remains, guard);
  EXPECT_EQ(remains.last_step, 3);
  EXPECT_THAT(remains.intended, IsEmpty());
}

TEST(RemainsTest, ARecordThatDoesNotSayReadOnlyCountsAsAnEffect) {
  journal::StepRecord step;
  step.seq = 1;
  step.kind = journal::StepKind::kToolIntended;
  step.data = R"({"call_id":"a","tool":"t","arguments":"{}","effect_key":"k"})";
  Remains remains;
  LoopGuard guard(3);
  ReadSteps({step}, remains, guard);
  EXPECT_TRUE(remains.effects);
  EXPECT_FALSE(remains.intended.at("a").read_only);
}

}  // namespace
}  // namespace talon::agent
