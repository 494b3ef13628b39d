// SPDX-License-Identifier: Apache-2.0
// Progress, questions and changing tools of a plugin written with the SDK, as a process.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/plugin/talk_rig.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;

class SdkTalkTest : public TalkTest {
 protected:
  SdkTalkTest() { entry_.plugin = TALON_SDK_PLUGIN; }
  void Load() { TalkTest::Load("steps"); }
  std::string FileText() {
    std::ostringstream text;
    text << std::ifstream(folder_ / "ended").rdbuf();
    return text.str();
  }
};

TEST_F(SdkTalkTest, ProgressComesAndOnlyWhoSaysSoAsks) {
  Load();
  EXPECT_EQ(ContentOf("steps", {{"count", 3}}),
            "done; cancel {} the tool does not declare that it asks (Tool::asks)");
  // What is slower than the handler is left out, but the last.
  EXPECT_THAT(listener_.heard, Contains("step 3"));
}

TEST_F(SdkTalkTest, APluginAnswersNobodyElse) {
  Load();
  EXPECT_TRUE(ContentOf("steps", {{"count", 1}}).starts_with("done"));
  std::string socket;
  for (const auto& each : std::filesystem::recursive_directory_iterator(paths_.run)) {
    if (each.is_socket()) socket = each.path();
  }
  const auto other =
      loop_.RunUntilDone(ConnectUnix(loop_, socket, TransportLimits(), CallContext()));
  ASSERT_TRUE(other.ok()) << other.status();
  const auto refused = [&](std::string_view method) {
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + 20s;
    return loop_.RunUntilDone((*other)->Call(method, "", context)).status();
  };
  for (const char* method : {"/talon.v1.Plugin/Describe", "/talon.v1.Plugin/ExecuteStream",
                             "/talon.v1.Plugin/Converse", "/talon.v1.Plugin/Shutdown"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(refused(method))) << method << refused(method);
  }
  EXPECT_TRUE(ContentOf("steps", {{"count", 1}}).starts_with("done"));
}

TEST_F(SdkTalkTest, AFloodOfProgressHoldsNothingUp) {
  Load();
  EXPECT_TRUE(ContentOf("steps", {{"count", 50000}}).starts_with("done"));
  EXPECT_EQ(listener_.heard.back(), "step 50000");
}

TEST_F(SdkTalkTest, QuestionsAreAnswered) {
  Load();
  EXPECT_EQ(ContentOf("ask", Json::object()), R"(accept {"n":1} , accept {"n":1} )");
  EXPECT_THAT(listener_.heard, ElementsAre("asking", "? How many?", "? Sure?"));
  EXPECT_EQ(listener_.questions[0].schema,
            R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})");
  EXPECT_EQ(listener_.questions[1].schema, "");
  listener_.answer = {.action = tool::AnswerAction::kDecline, .content = "", .reason = "why"};
  EXPECT_EQ(ContentOf("ask", Json::object()), "decline {} why, decline {} why");
}

TEST_F(SdkTalkTest, TwoThreadsOfAHandlerMayAsk) {
  Load();
  EXPECT_EQ(ContentOf("ask_twice", Json::object()), R"(accept {"n":1} , accept {"n":1} )");
}

TEST_F(SdkTalkTest, ManyCallsTalkAtOnce) {
  Load();
  const int answered = loop_.RunUntilDone([](SdkTalkTest* self) -> io::Task<int> {
    int count = 0;
    io::Nursery nursery(self->loop_);
    for (int i = 0; i < 40; ++i) {
      nursery.Spawn([](SdkTalkTest* test, int* done) -> io::Task<void> {
        const auto output = co_await test->Start("ask", Json::object());
        *done += output.ok() && output->error.empty() ? 1 : 0;
      }(self, &count));
    }
    co_await nursery.Join();
    co_return count;
  }(this));
  EXPECT_EQ(answered, 40);
}

TEST_F(SdkTalkTest, CancellingWakesTheHandlerThatAsks) {
  Load();
  CancelSource cancel;
  listener_.waits = true;
  listener_.on_question = [&] { cancel.Cancel(Cancelled("enough")); };
  const auto output =
      loop_.RunUntilDone(Start("ask_for_ever", {{"file", folder_ / "ended"}}, 20s, cancel.token()));
  EXPECT_TRUE(absl::IsCancelled(output.status())) << output.status();
  EXPECT_TRUE(Until([this] { return FileText() == "cancel {} cancelled"; })) << FileText();
}

TEST_F(SdkTalkTest, ToolsChangeByConfigurationAndWhileItRuns) {
  entry_.config.text = R"({"names":["a"]})";
  Load();
  EXPECT_TRUE(Offered("a"));
  EXPECT_EQ(Info().pid, 0);
  EXPECT_EQ(ContentOf("a", Json::object()), "a");
  EXPECT_EQ(ContentOf("set_tools", {{"names", {"b"}}}), "set");
  EXPECT_TRUE(Until([this] { return Offered("b") && !Offered("a"); }));
  EXPECT_EQ(ContentOf("b", Json::object()), "b");
  EXPECT_EQ(ContentOf("set_tools", {{"names", {"no good name"}}}),
            "tool 'no good name': name must match ^[a-zA-Z0-9_-]{1,48}$");
  EXPECT_TRUE(Offered("b"));
}

TEST_F(SdkTalkTest, AnOpenWatchDoesNotKeepItFromBeingStopped) {
  entry_.idle_stop = 20ms;
  Load();
  EXPECT_EQ(ContentOf("set_tools", {{"names", {"b"}}}), "set");
  EXPECT_TRUE(Until([this] { return Info().pid == 0; }));
  EXPECT_EQ(ContentOf("set_tools", {{"names", {"b"}}}), "set");
}

}  // namespace
}  // namespace talon::plugin
