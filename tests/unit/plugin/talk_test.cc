// SPDX-License-Identifier: Apache-2.0
// Progress, questions and changing tools, with a real process: the test plugin says what scripts
// tell it to.
#include <csignal>
#include <filesystem>

#include "tests/unit/plugin/talk_rig.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Output = absl::StatusOr<tool::ToolOutput>;

class ScriptTest : public TalkTest {
 protected:
  ScriptTest() { entry_.plugin = TALON_TEST_PLUGIN; }

  void Load() { TalkTest::Load("tell"); }
  // A plugin whose tools are those of `names` too; without a manifest.json beside it.
  void LoadDynamic(const std::string& names) {
    if (!std::filesystem::exists(folder_ / "alone")) {
      std::filesystem::create_symlink(TALON_TEST_PLUGIN, folder_ / "alone");
    }
    entry_.plugin = folder_ / "alone";
    entry_.args = {"--dynamic"};
    entry_.config.text = R"({"names":)" + names + "}";
    Load();
  }
  Output Call(const std::string& tool, const std::string& script,
              std::chrono::milliseconds time = 20s) {
    return loop_.RunUntilDone(Start(tool, {{"script", Json::parse(script)}}, time));
  }
  std::string Content(const std::string& tool, const std::string& script) {
    return ContentOf(tool, {{"script", Json::parse(script)}});
  }
};

TEST_F(ScriptTest, ProgressComesBeforeTheResult) {
  Load();
  EXPECT_EQ(Content("tell", R"([{"progress":"a","done":1,"total":2},{"progress":"b"},
                                {"result":"done"}])"),
            "done");
  EXPECT_THAT(listener_.heard, ElementsAre("a", "b"));
  EXPECT_EQ(Info().calls, 1U);
}

TEST_F(ScriptTest, WithoutListenersProgressIsDropped) {
  Load();
  const tool::Entry* entry = catalogue_.Find("t__talk");
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + 20s;
  const Output output = loop_.RunUntilDone(entry->tool->Execute(
      {.call_id = "c",
       .tool = "t__talk",
       .arguments = R"({"script":[{"progress":"a"},{"question":"q"},{"hear":1},{"result":"r"}]})",
       .idempotency_key = "",
       .session = {}},
      context));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->content, "r[q cancel ]");
}

TEST_F(ScriptTest, AQuestionIsAskedAndAnswered) {
  Load();
  EXPECT_EQ(Content("talk", R"([{"progress":"a"},
                                {"question":"q1","text":"How many?","schema":"{}","url":"u"},
                                {"hear":1},{"progress":"b"},{"result":"r"}])"),
            R"(r[q1 accept {"n":1}])");
  EXPECT_THAT(listener_.heard, ElementsAre("a", "? How many?", "b"));
  EXPECT_EQ(listener_.questions[0].schema, "{}");
  EXPECT_EQ(listener_.questions[0].url, "u");
}

TEST_F(ScriptTest, TheReasonOfARefusedQuestionReachesItsAuthor) {
  Load();
  listener_.answer = {
      .action = tool::AnswerAction::kDecline, .content = "", .reason = "no secrets"};
  EXPECT_EQ(Content("talk", R"([{"question":"q"},{"hear":1},{"result":""}])"),
            "[q decline no secrets]");
}

TEST_F(ScriptTest, QuestionsAreAskedOneAfterAnother) {
  Load();
  EXPECT_EQ(Content("talk", R"([{"question":"a","text":"A"},{"question":"b","text":"B"},
                                {"hear":1},{"hear":1},{"result":""}])"),
            R"([a accept {"n":1}][b accept {"n":1}])");
  EXPECT_THAT(listener_.heard, ElementsAre("? A", "? B"));
}

TEST_F(ScriptTest, AResultWithdrawsAnOpenQuestion) {
  Load();
  listener_.waits = true;
  EXPECT_EQ(Content("talk", R"([{"question":"a"},{"result":"r"}])"), "r");
  // It may come so soon that nobody was asked.
  EXPECT_EQ(listener_.heard.size(), 2 * listener_.questions.size());
}

TEST_F(ScriptTest, APluginKilledWhileAskingIsAnErrorAtOnce) {
  Load();
  listener_.waits = true;
  listener_.on_question = [this] { ::kill(static_cast<pid_t>(Info().pid), SIGKILL); };
  const Output output = Call("talk_write", R"([{"question":"a"},{"hear":1},{"result":"r"}])");
  EXPECT_EQ(ReasonOf(output.status()), ErrorReason::kPluginCrashed) << output.status();
  EXPECT_THAT(listener_.heard, ElementsAre("? ?", "withdrawn"));
  listener_.on_question = nullptr;
  listener_.waits = false;
  EXPECT_EQ(Content("talk", R"([{"question":"a"},{"hear":1},{"result":"r"}])"),
            R"(r[a accept {"n":1}])");
}

TEST_F(ScriptTest, AReadOnlyCallIsAskedAgainAfterACrash) {
  Load();
  listener_.on_question = [this] {
    listener_.on_question = nullptr;
    ::kill(static_cast<pid_t>(Info().pid), SIGKILL);
  };
  EXPECT_EQ(Content("talk", R"([{"question":"a"},{"hear":1},{"result":"r"}])"),
            R"(r[a accept {"n":1}])");
  EXPECT_THAT(listener_.heard, ElementsAre("? ?", "? ?"));
}

TEST_F(ScriptTest, CancellingWhileAskingEndsTheCall) {
  Load();
  CancelSource cancel;
  listener_.waits = true;
  listener_.on_question = [&] { cancel.Cancel(Cancelled("enough")); };
  const Output output = loop_.RunUntilDone(
      Start("talk", {{"script", Json::parse(R"([{"question":"a"},{"hear":1},{"result":"r"}])")}},
            20s, cancel.token()));
  EXPECT_TRUE(absl::IsCancelled(output.status())) << output.status();
  EXPECT_THAT(listener_.heard, ElementsAre("? ?", "withdrawn"));
  EXPECT_TRUE(Until([this] { return host_->List().at(0).state == PluginState::kRunning; }));
}

TEST_F(ScriptTest, SilenceEndsAtTheDeadline) {
  Load();
  EXPECT_EQ(Content("tell", R"([{"result":"warm"}])"), "warm");
  const Output output = Call("talk", R"([{"hear":1},{"result":"r"}])", 50ms);
  EXPECT_TRUE(absl::IsDeadlineExceeded(output.status())) << output.status();
}

TEST_F(ScriptTest, ABrokenConversationIsMisbehaviour) {
  Load();
  const auto why = [this](const std::string& tool, const std::string& script) {
    const Output output = Call(tool, script);
    EXPECT_EQ(ReasonOf(output.status()), ErrorReason::kPluginMisbehaved) << output.status();
    return std::string(Message(output.status()));
  };
  EXPECT_THAT(why("tell", "[]"), HasSubstr("without a result"));
  EXPECT_THAT(why("tell", R"([{"empty":1}])"), HasSubstr("neither progress nor result"));
  EXPECT_THAT(why("tell", R"([{"result":"a","times":2}])"), HasSubstr("went on after its result"));
  EXPECT_THAT(why("talk", R"([{"question":""},{"hear":1}])"), HasSubstr("no id"));
  listener_.waits = true;
  EXPECT_THAT(why("talk", R"([{"question":"a","times":2},{"hear":1}])"), HasSubstr("same id"));
  options_.max_open_questions = 1;
  StopHost();
  Load();
  EXPECT_THAT(why("talk", R"([{"question":"a"},{"question":"b"},{"hear":1}])"),
              HasSubstr("2 questions at once"));
}

TEST_F(ScriptTest, AStatusEndsAStreamAsItEndsACall) {
  Load();
  const Output output = Call("tell", R"([{"progress":"a"},{"fail":7}])");
  EXPECT_TRUE(absl::IsPermissionDenied(output.status())) << output.status();
  EXPECT_THAT(std::string(Message(output.status())),
              HasSubstr("plugin 't': execute 'tell': failed as told"));
}

TEST_F(ScriptTest, AFloodOfProgressIsRead) {
  Load();
  EXPECT_EQ(
      Content("tell", R"([{"progress":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","times":20000},
                                {"result":"r"}])"),
      "r");
  EXPECT_EQ(listener_.heard.size(), 20000U);
}

TEST_F(ScriptTest, AHostStoppedMeanwhileEndsTheCall) {
  Load();
  listener_.waits = true;
  const Output output = loop_.RunUntilDone([](ScriptTest* test) -> io::Task<Output> {
    io::Nursery nursery(test->loop_);
    Output result;
    nursery.Spawn([](ScriptTest* self, Output* out) -> io::Task<void> {
      *out = co_await self->Start("talk_write",
                                  {{"script", Json::parse(R"([{"question":"a"},{"hear":1}])")}});
    }(test, &result));
    co_await test->listener_.asked.Wait();
    co_await test->host_->Stop();
    co_await nursery.Join();
    co_return result;
  }(this));
  EXPECT_TRUE(absl::IsUnavailable(output.status())) << output.status();
}

TEST_F(ScriptTest, ToolsComeFromTheConfigurationAndTheCache) {
  LoadDynamic(R"(["dyn_a","dyn_set"])");
  EXPECT_NE(catalogue_.Find("t__dyn_a"), nullptr);
  EXPECT_EQ(Info().pid, 0);
  StopHost();
  EXPECT_EQ(catalogue_.Find("t__dyn_a"), nullptr);
  // The same from the cache; another configuration is asked for anew.
  Load();
  EXPECT_NE(catalogue_.Find("t__dyn_a"), nullptr);
  StopHost();
  LoadDynamic(R"(["dyn_b"])");
  EXPECT_EQ(catalogue_.Find("t__dyn_a"), nullptr);
  EXPECT_NE(catalogue_.Find("t__dyn_b"), nullptr);
}

TEST_F(ScriptTest, ChangedToolsAreSwappedWhileItRuns) {
  LoadDynamic(R"(["dyn_a","dyn_set"])");
  const auto kept = catalogue_.Find("t__dyn_a")->tool;  // of a call under way
  ASSERT_TRUE(loop_.RunUntilDone(Start("dyn_set", {{"names", {"dyn_b", "dyn_set"}}})).ok());
  EXPECT_TRUE(Until([this] { return catalogue_.Find("t__dyn_b") != nullptr; }));
  EXPECT_EQ(catalogue_.Find("t__dyn_a"), nullptr);
  EXPECT_NE(catalogue_.Find("t__echo"), nullptr);
  EXPECT_EQ(kept->spec().name, "t__dyn_a");
  // And again, also for the next daemon.
  ASSERT_TRUE(loop_.RunUntilDone(Start("dyn_set", {{"names", {"dyn_c", "dyn_set"}}})).ok());
  EXPECT_TRUE(Until([this] { return catalogue_.Find("t__dyn_c") != nullptr; }));
}

TEST_F(ScriptTest, AToolThatCannotBeOfferedLeavesTheOthers) {
  LoadDynamic(R"(["dyn_a","bad_schema"])");
  EXPECT_NE(catalogue_.Find("t__dyn_a"), nullptr);
  EXPECT_EQ(catalogue_.Find("t__bad_schema"), nullptr);
}

TEST_F(ScriptTest, AnIdleDynamicPluginIsAskedAgainAtItsNextStart) {
  entry_.idle_stop = 20ms;
  LoadDynamic(R"(["dyn_a","dyn_set"])");
  ASSERT_TRUE(loop_.RunUntilDone(Start("dyn_set", {{"names", {"dyn_b", "dyn_set"}}})).ok());
  EXPECT_TRUE(Until([this] { return catalogue_.Find("t__dyn_b") != nullptr; }));
  // An open watch does not keep it from being stopped.
  EXPECT_TRUE(Until([this] { return Info().pid == 0; }));
  ASSERT_TRUE(loop_.RunUntilDone(Start("echo", {{"text", "x"}})).ok());
  EXPECT_NE(catalogue_.Find("t__dyn_a"), nullptr);
  EXPECT_EQ(catalogue_.Find("t__dyn_b"), nullptr);
}

}  // namespace
}  // namespace talon::plugin
